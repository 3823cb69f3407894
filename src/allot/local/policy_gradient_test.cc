// The gradient through the whole model against a composition by hand: every response alone, with
// its own copy of the prompt, in double precision, by library operations; the loss by the
// reference; the normalisers by the formulas of the contract.
#include "allot/local/policy_gradient.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include <gtest/gtest.h>

#include "allot/lm/forward.h"
#include "allot/local/testing/small_world.h"
#include "allot/objective/normalizer.h"
#include "allot/objective/reference.h"

namespace allot {
namespace {

using testing::BatchSpec;
using testing::SmallWorld;

std::vector<double> host(const at::Tensor& x) {
  const at::Tensor wide = x.detach().to(at::kDouble).contiguous();
  const double* values = wide.const_data_ptr<double>();
  return {values, values + wide.numel()};
}

// omega as the contract writes it.
double contract_weight(const TrainBatch& batch, const TrainRows& rows, const TrainRow& row) {
  double tokens = 0, in_group = 0;
  for (const TrainRow& other : rows.rows) {
    tokens += static_cast<double>(other.tokens());
    in_group += other.group == row.group;
  }
  const auto n = static_cast<double>(row.tokens());
  const double length = batch.length_divisor > 0 ? batch.length_divisor : n;
  switch (batch.norm) {
    case Norm::PerToken:
      return 1 / tokens;
    case Norm::PerRollout:
      return 1 / static_cast<double>(batch.items.size()) / length;
    case Norm::PerGroup:
      return 1 / static_cast<double>(batch.groups.size()) / in_group / length;
    case Norm::Fixed:
      break;
  }
  return 1 / batch.fixed / length;
}

at::Tensor logprob_alone(const lm::Model& model, const std::vector<std::int32_t>& prompt,
                         const std::vector<std::int32_t>& response, double temperature) {
  lm::PackedRows rows;
  rows.tokens = prompt;
  rows.tokens.insert(rows.tokens.end(), response.begin(), response.end() - 1);
  rows.positions.resize(rows.tokens.size());
  std::iota(rows.positions.begin(), rows.positions.end(), 0);
  rows.segments = {{0, static_cast<std::int32_t>(rows.tokens.size()), 0, 0}};
  for (std::size_t t = 0; t < response.size(); ++t) {
    rows.target_row.push_back(static_cast<std::int32_t>(prompt.size() + t) - 1);
    rows.target_token.push_back(response[t]);
  }
  const at::Tensor hidden = lm::hidden_states(model, rows, lm::Kernels::Reference);
  return lm::score_targets(model, hidden, rows, temperature, lm::Kernels::Reference).logprob;
}

struct ByHand {
  double loss = 0;
  std::vector<std::vector<double>> gradients;
};

ByHand by_hand(const lm::Model& model, const TrainBatch& batch, const TrainRows& rows,
               double temperature) {
  lm::Model wide = lm::Model::random(model.config(), 0, at::kDouble, at::kCPU);
  wide.copy_from(model);
  const lm::Model view = wide.training_view();
  ByHand out;
  for (const TrainRow& row : rows.rows) {
    const Rollout& rollout = row.stored->rollout;
    const at::Tensor logprob =
        logprob_alone(view, rows.prompts[row.group], rollout.tokens, temperature);
    objective::LossRow loss_row;
    loss_row.advantage = row.advantage;
    loss_row.weight = row.weight;
    loss_row.anchor = row.anchor_kind;
    loss_row.logprob = host(logprob);
    loss_row.rollout.assign(rollout.logp.begin(), rollout.logp.end());
    const std::vector<double> omega = {contract_weight(batch, rows, row)};
    auto result = objective::reference_loss({}, std::span(&loss_row, 1), omega);
    out.loss += result.loss;
    at::Tensor gradient = logprob.detach().clone();
    std::copy(result.gradient[0].begin(), result.gradient[0].end(), gradient.data_ptr<double>());
    logprob.backward(gradient);
  }
  for (const lm::NamedTensor& parameter : view.parameters())
    out.gradients.push_back(host(parameter.tensor.grad()));
  return out;
}

// All rows as one update.
PolicyGradient in_one_update(const lm::Model& model, const TrainBatch& batch, const TrainRows& rows,
                             const PolicyGradientSettings& settings) {
  const UpdatePlan plan = plan_update(
      rows, {0, rows.rows.size()}, objective::normalizer_of(settings.loss, batch), settings.loss);
  return policy_gradient(model, rows, plan, {}, settings);
}

double relative_error(const std::vector<double>& found, const std::vector<double>& expected) {
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    difference += (found[i] - expected[i]) * (found[i] - expected[i]);
    size += expected[i] * expected[i];
  }
  return std::sqrt(difference / size);
}

// A key bias moves all logits of a query alike, so its gradient is 0 but for rounding.
bool is_rounding_only(const lm::NamedTensor& parameter) {
  return parameter.name.find("k_proj.bias") != std::string::npos;
}

PolicyGradientSettings settings_of(int micro, int shards, int workers, double temperature = 1) {
  PolicyGradientSettings settings;
  settings.loss = objective::LossOptions{}.expanded();
  settings.temperature = temperature;
  settings.pack = {micro, shards};
  settings.workers = workers;
  return settings;
}

// Largest relative error of the norm of a parameter's gradient.
double error_against_hand(at::ScalarType type, const BatchSpec& spec, double temperature) {
  const SmallWorld world(type);
  RolloutStore store;
  const TrainBatch batch = world.batch(spec, store);
  const TrainRows rows =
      train_rows(batch, store, world.prompts, world.tokenizer, world.model.config().context);
  const PolicyGradient found =
      in_one_update(world.model, batch, rows, settings_of(5, 2, 2, temperature));
  const ByHand expected = by_hand(world.model, batch, rows, temperature);
  EXPECT_NEAR(found.sums.loss, expected.loss, 1e-5 * (1 + std::abs(expected.loss)));
  EXPECT_GT(found.sums.clipped_low + found.sums.clipped_high, 0);
  double worst = 0;
  const auto parameters = world.model.parameters();
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (is_rounding_only(parameters[i])) continue;
    const double error = relative_error(host(found.gradients[i]), expected.gradients[i]);
    if (error > worst) worst = error;
  }
  return worst;
}

std::vector<BatchSpec> all_norms() {
  BatchSpec per_token, per_rollout, per_group, fixed, divided;
  per_token.norm = Norm::PerToken;
  per_rollout.norm = Norm::PerRollout;
  fixed.norm = divided.norm = Norm::Fixed;
  fixed.fixed = divided.fixed = 40;
  divided.length_divisor = 16;
  return {per_token, per_rollout, per_group, fixed, divided};
}

TEST(PolicyGradient, EqualsTheCompositionByHandInDouble) {
  for (const BatchSpec& spec : all_norms())
    EXPECT_LT(error_against_hand(at::kDouble, spec, 1), 1e-10) << name(spec.norm);
  EXPECT_LT(error_against_hand(at::kDouble, {}, 0.7), 1e-10);
}

TEST(PolicyGradient, EqualsTheCompositionByHandInFloat) {
  for (const BatchSpec& spec : all_norms())
    EXPECT_LT(error_against_hand(at::kFloat, spec, 1), 1e-5) << name(spec.norm);
}

struct Split {
  int micro, shards, workers;
};

// Largest relative error of the norm of a parameter's gradient between the batch in one piece and
// in smaller ones.
double error_of_cuts(at::ScalarType type) {
  const SmallWorld world(type);
  RolloutStore store;
  const TrainBatch batch = world.batch({}, store);
  const TrainRows rows = train_rows(batch, store, world.prompts, world.tokenizer, 24);
  const auto whole = in_one_update(world.model, batch, rows, settings_of(100, 1, 1));
  const auto parameters = world.model.parameters();
  double worst = 0;
  for (const Split& split : {Split{1, 1, 1}, Split{3, 2, 1}, Split{4, 5, 2}}) {
    const auto cut = in_one_update(world.model, batch, rows,
                                   settings_of(split.micro, split.shards, split.workers));
    EXPECT_NEAR(cut.sums.loss, whole.sums.loss, 1e-6);
    EXPECT_EQ(cut.sums.tokens, whole.sums.tokens);
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      if (is_rounding_only(parameters[i])) continue;
      worst = std::max(worst, relative_error(host(cut.gradients[i]), host(whole.gradients[i])));
    }
  }
  return worst;
}

TEST(PolicyGradient, CutsChangeRoundingOnly) {
  EXPECT_LT(error_of_cuts(at::kDouble), 1e-12);
  EXPECT_LT(error_of_cuts(at::kFloat), 5e-6);
}

TEST(PolicyGradient, WorkersChangeNoBit) {
  const SmallWorld world;
  RolloutStore store;
  const TrainBatch batch = world.batch({}, store);
  const TrainRows rows = train_rows(batch, store, world.prompts, world.tokenizer, 24);
  const auto one = in_one_update(world.model, batch, rows, settings_of(3, 3, 1));
  const auto two = in_one_update(world.model, batch, rows, settings_of(3, 3, 2));
  EXPECT_EQ(one.sums.loss, two.sums.loss);
  for (std::size_t i = 0; i < one.gradients.size(); ++i)
    EXPECT_EQ(host(one.gradients[i]), host(two.gradients[i]));
}

TEST(PolicyGradient, CountsOnlyWhatItComputes) {
  const SmallWorld world;
  RolloutStore store;
  BatchSpec spec;
  spec.group_sizes = {3, 2};
  TrainBatch batch = world.batch(spec, store);
  batch.items[3].advantage = batch.items[4].advantage = 0;  // the second group has no signal
  batch.items[1].weight = 0;
  const TrainRows rows = train_rows(batch, store, world.prompts, world.tokenizer, 24);
  const auto found = in_one_update(world.model, batch, rows, settings_of(8, 1, 1));
  const std::size_t tokens = rows.rows[0].tokens() + rows.rows[2].tokens();
  EXPECT_EQ(found.sums.tokens, static_cast<double>(tokens));
  EXPECT_EQ(found.positions, rows.prompts[0].size() + tokens - 2);
}

TEST(SamplerMismatch, RatiosByHand) {
  std::map<std::string, double> m;
  SamplerMismatch first, second, none;
  EXPECT_TRUE(none.metrics().empty());
  first.add_token(-1, -1);
  second.add_token(std::log(0.5), std::log(0.25));  // twice as likely here
  second.add(none);
  first.add(second);
  for (const Metric& metric : first.metrics()) m[metric.name] = metric.value;
  EXPECT_NEAR(m.at("mismatch/logp_diff_mean"), std::log(2) / 2, 1e-15);
  EXPECT_NEAR(m.at("mismatch/logp_diff_max"), std::log(2), 1e-15);
  EXPECT_NEAR(m.at("mismatch/ratio_min"), 1, 1e-15);
  EXPECT_NEAR(m.at("mismatch/ratio_mean"), 1.5, 1e-15);
  EXPECT_NEAR(m.at("mismatch/ratio_max"), 2, 1e-15);
  EXPECT_NEAR(m.at("mismatch/ess"), 9.0 / (2 * 5), 1e-15);
}

}  // namespace
}  // namespace allot
