// Every preset through the whole model: the gradient against central differences of the loss as
// written (objective::reference_value and the entropy bonus) along random directions of all
// weights, and against itself for other cuts into micro-batches.
#include <cmath>

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros_like.h>
#include <gtest/gtest.h>

#include "allot/core/random.h"
#include "allot/lm/forward.h"
#include "allot/local/loss_rows.h"
#include "allot/local/other_policies.h"
#include "allot/local/policy_gradient.h"
#include "allot/local/row_scores.h"
#include "allot/local/testing/small_world.h"
#include "allot/objective/presets.h"
#include "allot/objective/reference.h"
#include "allot/objective/requirements.h"

namespace allot {
namespace {

using objective::LossOptions;
using objective::LossRow;
using testing::SmallWorld;

// A preset with what it leaves to the user.
LossOptions expanded(std::string_view preset) {
  LossOptions o;
  o.preset = std::string(preset);
  o.curvature.lr = .01;
  if (o.expanded().has_mask("curvature")) o.curvature.delta_f = o.curvature.delta_h = .05;
  return o.expanded();
}

void add_normal(const at::Tensor& tensor, double scale, RandomStream& random) {
  const at::NoGradGuard no_grad;
  const at::Tensor noise = at::empty_like(tensor, at::kDouble);
  for (std::int64_t i = 0; i < noise.numel(); ++i) noise.data_ptr<double>()[i] = random.normal();
  at::Tensor target = tensor;
  target.add_(noise.to(tensor.scalar_type()), scale);
}

// A batch whose other policies are near the current one, with everything any loss reads.
struct Scene {
  explicit Scene(at::ScalarType type = at::kDouble)
      : world(type), other(type, 3), network(world.model.config().dim, 5, type, at::kCPU) {
    testing::BatchSpec spec;
    spec.group_sizes = {4, 1, 5, 3};
    const TrainBatch noise = world.batch(spec, unscored);
    batch = noise;
    TrainRows bare = train_rows(noise, unscored, world.prompts, world.tokenizer, 24);
    for (std::uint32_t i = 0; i < bare.rows.size(); ++i) all.push_back(i);
    settings.pack = {5, 2};
    const RowScores here = score_rows(world.model, bare, all, settings);
    RandomStream random({11, RandomUse::Test});
    const auto near = [&](std::vector<double> values) {
      for (double& value : values) value += .1 * random.normal();
      return values;
    };
    for (const std::uint32_t i : all) {
      StoredRollout copy = *bare.rows[i].stored;
      const std::vector<double> mu = near(here.rows[i].logprob);
      copy.rollout.logp.assign(mu.begin(), mu.end());
      if (i % 6 == 1) copy.rollout.status = Status::Truncated;
      store.add(copy.rollout, copy.score, 0);
    }
    rows = train_rows(batch, store, world.prompts, world.tokenizer, 24);
    for (const std::uint32_t i : all) {
      rows.rows[i].old = near(here.rows[i].logprob);
      rows.rows[i].reference = near(here.rows[i].logprob);
    }
    set_top(world.model, other.model, rows, all, settings);
    for (const lm::NamedTensor& parameter : network.parameters())
      add_normal(parameter.tensor, .2, random);  // the last layer is not 0
  }

  UpdatePlan plan(const LossOptions& loss) const {
    return plan_update(rows, {0, rows.rows.size()}, {objective::Aggregation::PromptMean}, loss);
  }
  UpdateMoment moment(const LossOptions& loss) const {
    UpdateMoment out;
    out.seed = 3;
    out.step = 4;
    out.entropy = objective::EntropyCoefficient(loss);
    if (objective::requirements(loss).log_partition) out.log_partition = &network;
    return out;
  }
  PolicyGradient gradient(const LossOptions& loss, PackSettings pack) const {
    PolicyGradientSettings used = settings;
    used.loss = loss;
    used.pack = pack;
    PolicyGradient out = policy_gradient(world.model, rows, plan(loss), moment(loss), used);
    for (const at::Tensor& gradient : out.log_partition) out.gradients.push_back(gradient);
    return out;
  }
  std::vector<lm::NamedTensor> parameters(const LossOptions& loss) const {
    std::vector<lm::NamedTensor> out = world.model.parameters();
    if (objective::requirements(loss).log_partition)
      for (const lm::NamedTensor& parameter : network.parameters()) out.push_back(parameter);
    return out;
  }
  // log Z of every row's prompt, from the prompt alone.
  std::vector<double> log_partitions() const {
    const at::NoGradGuard no_grad;
    std::vector<double> out;
    for (const TrainRow& row : rows.rows) {
      lm::PackedRows prompt;
      prompt.tokens = rows.prompts[row.group];
      for (std::size_t i = 0; i < prompt.tokens.size(); ++i)
        prompt.positions.push_back(static_cast<std::int32_t>(i));
      prompt.segments = {{0, static_cast<std::int32_t>(prompt.tokens.size()), 0, 0}};
      const at::Tensor hidden =
          lm::hidden_states(world.model, prompt, lm::Kernels::Reference).mean(0, true);
      const RandomKey key{3, RandomUse::Method, 4, row.stored->rollout.prompt, 0xfffffffeU};
      out.push_back(network(hidden, {&key, 1}).item<double>());
    }
    return out;
  }
  // All rows as the loss sees them at the weights as they are.
  std::vector<LossRow> loss_rows() const {
    RowScores scores =
        score_rows(world.model, rows, all, settings,
                   {objective::kLikeliestTokens, ChosenIds::TopOfRows, HiddenPart::All});
    const std::vector<double> log_z = log_partitions();
    std::vector<LossRow> out;
    for (const std::uint32_t i : all) {
      out.push_back(loss_row(rows.rows[i], std::move(scores.rows[i])));
      out.back().log_partition = log_z[i];
    }
    return out;
  }

  SmallWorld world, other;
  LogPartition network;
  RolloutStore unscored, store;
  TrainBatch batch;
  TrainRows rows;
  std::vector<std::uint32_t> all;
  PolicyGradientSettings settings;
};

// The loss at the weights as they are, with all that carries no gradient taken from `fixed`.
double value_of(const Scene& scene, const LossOptions& loss, std::vector<LossRow> fixed,
                const std::vector<objective::RowTerms>& terms, double entropy_coef) {
  const std::vector<LossRow> moved = scene.loss_rows();
  double entropy = 0;
  for (std::size_t i = 0; i < moved.size(); ++i) {
    fixed[i].log_partition = moved[i].log_partition;  // it does carry one
    for (std::size_t t = 0; t < moved[i].entropy.size(); ++t)
      entropy += terms[i].entropy_weight * terms[i].mask[t] * moved[i].entropy[t];
  }
  return objective::reference_value(loss, moved, fixed, terms) - entropy_coef * entropy;
}

// Slope of the loss along a random direction: from the gradient, and by central differences.
void expect_slopes(const LossOptions& loss) {
  Scene scene;
  const std::vector<LossRow> fixed = scene.loss_rows();
  const objective::StepTerms terms = objective::step_terms(
      loss, {objective::Aggregation::PromptMean}, fixed, objective::keyed_draw(3, 4));
  const double entropy_coef =
      scene.moment(loss).entropy.acting(objective::mean_entropy(fixed, terms.rows));
  const PolicyGradient found = scene.gradient(loss, {5, 2});
  EXPECT_NEAR(found.sums.loss,
              objective::reference_loss(loss, fixed, terms.rows, entropy_coef).loss, 1e-9);
  const std::vector<lm::NamedTensor> parameters = scene.parameters(loss);
  ASSERT_EQ(found.gradients.size(), parameters.size());
  const auto move = [&](std::uint64_t direction, double by) {
    RandomStream random({direction, RandomUse::Test, 9});
    for (const lm::NamedTensor& parameter : parameters) add_normal(parameter.tensor, by, random);
  };
  for (const std::uint64_t direction : {1, 2}) {
    RandomStream random({direction, RandomUse::Test, 9});
    double slope = 0;
    for (const at::Tensor& gradient : found.gradients) {
      const at::Tensor along = at::zeros_like(gradient);
      add_normal(along, 1, random);
      slope += (gradient * along).sum().item<double>();
    }
    const double h = 1e-6;
    move(direction, h);
    const double up = value_of(scene, loss, fixed, terms.rows, entropy_coef);
    move(direction, -2 * h);
    const double down = value_of(scene, loss, fixed, terms.rows, entropy_coef);
    move(direction, h);
    EXPECT_NEAR((up - down) / (2 * h), slope, 2e-5 * (1 + std::abs(slope)));
  }
}

TEST(Objectives, EveryPresetHasTheGradientOfItsLoss) {
  for (const objective::PresetRow& preset : objective::presets()) {
    SCOPED_TRACE(preset.name);
    expect_slopes(expanded(preset.name));
  }
}

TEST(Objectives, EntropyBonusesTopListsAndTruncationToo) {
  LossOptions bonus = expanded("dapo");
  bonus.entropy_coef = .3;
  expect_slopes(bonus);
  LossOptions adaptive = bonus;
  adaptive.entropy = {true, 50, .1};  // acts, as the entropy is below
  expect_slopes(adaptive);
  LossOptions lists = expanded("dppo");
  lists.divergence = {objective::Divergence::TopKKl, .05, .05};
  lists.masks.emplace_back("truncated");
  expect_slopes(lists);
  LossOptions current = expanded("jackpot");
  current.obrs.target = objective::ObrsTarget::Current;
  current.obrs.expected = true;
  expect_slopes(current);
  LossOptions flow = expanded("flow_rl");
  flow.mismatch.weight = objective::MismatchWeight::Truncate;
  flow.mismatch.level = objective::MismatchLevel::SequenceGeometric;
  flow.mismatch.max = 1;
  flow.masks.emplace_back("truncated");
  expect_slopes(flow);
  LossOptions normalized = expanded("tis");
  normalized.mismatch.normalize = true;
  expect_slopes(normalized);
}

double norm_of(const std::vector<at::Tensor>& tensors) {
  double squares = 0;
  for (const at::Tensor& tensor : tensors)
    squares += tensor.to(at::kDouble).square().sum().item<double>();
  return std::sqrt(squares);
}

double relative_difference(const PolicyGradient& a, const PolicyGradient& b) {
  std::vector<at::Tensor> differences;
  for (std::size_t i = 0; i < a.gradients.size(); ++i)
    differences.push_back(a.gradients[i].to(at::kDouble) - b.gradients[i].to(at::kDouble));
  return norm_of(differences) / norm_of(b.gradients);
}

TEST(Objectives, AnySplitOfAStepGivesTheSameGradient) {
  for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
    const Scene scene(type);
    const double tolerance = type == at::kDouble ? 1e-12 : 1e-6;
    for (const objective::PresetRow& preset : objective::presets()) {
      SCOPED_TRACE(preset.name);
      const LossOptions loss = expanded(preset.name);
      const PolicyGradient whole = scene.gradient(loss, {100, 1});
      EXPECT_GT(norm_of(whole.gradients), 0);
      for (const PackSettings& pack :
           {PackSettings{1, 1}, PackSettings{3, 2}, PackSettings{4, 5}}) {
        const PolicyGradient cut = scene.gradient(loss, pack);
        EXPECT_LT(relative_difference(cut, whole), tolerance);
        EXPECT_NEAR(cut.sums.loss, whole.sums.loss, 1e-6 * (1 + std::abs(whole.sums.loss)));
      }
    }
  }
}

}  // namespace
}  // namespace allot
