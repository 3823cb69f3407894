#include "allot/local/policy_gradient.h"

#include <algorithm>
#include <cmath>

#include <ATen/TensorOperators.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/zeros_like.h>

#include "allot/core/error.h"
#include "allot/lm/forward.h"
#include "allot/local/loss_rows.h"
#include "allot/local/row_scores.h"
#include "allot/local/shards.h"
#include "allot/objective/reference.h"
#include "allot/objective/requirements.h"
#include "allot/objective/step_terms.h"

namespace allot {
namespace {

using objective::LossRow;
using objective::RowTerms;

// What one update needs, for all shards.
struct Job {
  const TrainRows& rows;
  const UpdatePlan& plan;
  const UpdateMoment& moment;
  const PolicyGradientSettings& settings;
  const std::vector<RowTerms>* terms = nullptr;  // by row, of a loss that needs the whole step
  double entropy_coef = 0;
};

// What one shard reports; gradients stay in the leaves of its views.
struct ShardReport {
  objective::LossSums sums;
  objective::TermSums terms;
  SamplerMismatch mismatch;
};

// Views that collect the gradients of one shard.
struct ShardViews {
  const lm::Model& model;
  const LogPartition* log_partition;
};

void add_mismatch(const Rollout& rollout, const std::vector<double>& here, const Job& job,
                  SamplerMismatch& out) {
  if (rollout.behaviour != job.moment.version || rollout.logp.size() != here.size()) return;
  for (std::size_t t = 0; t < here.size(); ++t) out.add_token(here[t], rollout.logp[t]);
}

// The rows of a micro-batch, cut out of its targets.
std::vector<LossRow> rows_of(const MicroBatch& batch, const lm::TokenScores& scores, const Job& job,
                             SamplerMismatch& mismatch) {
  const std::vector<double> logprob = to_host(scores.logprob), entropy = to_host(scores.entropy);
  std::vector<LossRow> out;
  for (std::size_t i = 0; i < batch.items.size(); ++i) {
    const std::uint32_t first = batch.first_target[i], last = batch.first_target[i + 1];
    const TrainRow& row = job.rows.rows[batch.items[i]];
    out.push_back(loss_row(row, {logprob.begin() + first, logprob.begin() + last},
                           {entropy.begin() + first, entropy.begin() + last}));
    add_mismatch(row.stored->rollout, out.back().logprob, job, mismatch);
  }
  return out;
}

std::vector<RowTerms> terms_of(const MicroBatch& batch, const std::vector<LossRow>& rows,
                               const Job& job, objective::TermSums& sums) {
  if (job.terms == nullptr) {
    objective::StepTerms part =
        objective::part_terms(job.settings.loss, job.plan.normalizer, job.plan.counts, rows);
    sums.add(part.sums);
    return std::move(part.rows);
  }
  std::vector<RowTerms> out;
  for (const std::uint32_t item : batch.items) out.push_back((*job.terms)[item]);
  return out;
}

// log Z of the prompts of a micro-batch, and which of them belongs to which response.
struct BatchPartition {
  at::Tensor log_z;  // [prompts]; undefined without flow balance
  std::vector<std::size_t> of_item;

  void fill(std::vector<LossRow>& rows) const {
    if (!log_z.defined()) return;
    const std::vector<double> values = to_host(log_z);
    for (std::size_t i = 0; i < rows.size(); ++i) rows[i].log_partition = values[of_item[i]];
  }
};

BatchPartition partition_of(const at::Tensor& hidden, const MicroBatch& batch, const Job& job,
                            const LogPartition* network) {
  BatchPartition out;
  if (network == nullptr) return out;
  const std::span<const std::uint32_t> first(batch.first_target.data(), batch.items.size());
  PromptMeans prompts = prompt_means(hidden, batch.rows, first);
  std::vector<RandomKey> keys(static_cast<std::size_t>(prompts.means.size(0)));
  for (std::size_t i = 0; i < batch.items.size(); ++i) {
    const PromptId id = job.rows.rows[batch.items[i]].stored->rollout.prompt;
    keys[prompts.of_target[i]] = {job.moment.seed, RandomUse::Method, job.moment.step, id,
                                  0xfffffffeU};  // the loss's draws have the next number
  }
  out.log_z = (*network)(prompts.means, keys);
  out.of_item = std::move(prompts.of_target);
  return out;
}

at::Tensor like(std::vector<double>& values, const at::Tensor& tensor) {
  return at::from_blob(values.data(), {static_cast<std::int64_t>(values.size())}, at::kDouble)
      .to(tensor.options(), /*non_blocking=*/false, /*copy=*/true);
}

std::vector<double> joined(const std::vector<std::vector<double>>& rows) {
  std::vector<double> out;
  for (const std::vector<double>& row : rows) out.insert(out.end(), row.begin(), row.end());
  return out;
}

// One backward pass from everything that the loss depends on: each output times its derivative.
void run_backward(const objective::LossResult& loss, const lm::TokenScores& scores,
                  const BatchPartition& partition) {
  std::vector<double> of_logprob = joined(loss.gradient);
  at::Tensor sum = (scores.logprob * like(of_logprob, scores.logprob.detach())).sum();
  if (!loss.entropy_gradient.empty()) {
    std::vector<double> of_entropy = joined(loss.entropy_gradient);
    sum = sum + (scores.entropy * like(of_entropy, scores.entropy.detach())).sum();
  }
  if (partition.log_z.defined()) {
    std::vector<double> of_prompt(static_cast<std::size_t>(partition.log_z.numel()), 0);
    for (std::size_t i = 0; i < loss.log_partition.size(); ++i)
      of_prompt[partition.of_item[i]] += loss.log_partition[i];
    sum = sum + (partition.log_z * like(of_prompt, partition.log_z.detach())).sum();
  }
  sum.backward();
}

void run_batch(const ShardViews& views, const MicroBatch& batch, const Job& job,
               ShardReport& report, std::vector<objective::ItemRatio>& ratios) {
  const lm::Kernels kernels = kernels_of(views.model, job.settings.matmul);
  const at::Tensor hidden =
      lm::hidden_states(views.model, batch.rows, kernels, job.settings.activations);
  const lm::TokenScores scores =
      lm::score_targets(views.model, hidden, batch.rows, job.settings.temperature, kernels);
  std::vector<LossRow> rows = rows_of(batch, scores, job, report.mismatch);
  const BatchPartition partition = partition_of(hidden, batch, job, views.log_partition);
  partition.fill(rows);
  const std::vector<RowTerms> terms = terms_of(batch, rows, job, report.terms);
  const objective::LossResult loss =
      objective::reference_loss(job.settings.loss, rows, terms, job.entropy_coef);
  run_backward(loss, scores, partition);
  report.sums.add(loss.sums);
  for (std::size_t i = 0; i < batch.items.size(); ++i) ratios[batch.items[i]] = loss.items[i];
}

// The terms of a loss that needs the whole step, from a pass without gradient.
struct WholeStep {
  std::vector<RowTerms> terms;  // by row
  objective::TermSums sums;
  objective::HeadGradient head;
  double entropy_coef = 0;
  std::uint64_t positions = 0;
};

WholeStep whole_step(const lm::Model& model, const TrainRows& rows, const UpdatePlan& plan,
                     const UpdateMoment& moment, const PolicyGradientSettings& settings) {
  const objective::LossOptions& loss = settings.loss;
  ScoreWishes wishes;
  if (objective::requirements(loss).top_k) wishes = {0, ChosenIds::TopOfRows};
  if (loss.has_mask("curvature")) {
    wishes.likeliest = objective::kLikeliestTokens;
    wishes.hidden = objective::keeps_curvature_moments(loss) ? HiddenPart::All : HiddenPart::Length;
  }
  RowScores scores = score_rows(model, rows, plan.counted, settings, wishes);
  std::vector<LossRow> loss_rows;
  for (std::size_t i = 0; i < plan.counted.size(); ++i)
    loss_rows.push_back(loss_row(rows.rows[plan.counted[i]], std::move(scores.rows[i])));
  objective::StepTerms terms =
      objective::step_terms(loss, plan.normalizer, loss_rows,
                            objective::keyed_draw(moment.seed, moment.step), moment.curvature);
  WholeStep out;
  out.positions = scores.positions;
  out.sums = std::move(terms.sums);
  if (moment.curvature != nullptr) out.head = objective::head_gradient(loss_rows, terms.rows);
  out.entropy_coef = moment.entropy.acting(objective::mean_entropy(loss_rows, terms.rows));
  out.terms.resize(rows.rows.size());
  for (std::size_t i = 0; i < plan.counted.size(); ++i)
    out.terms[plan.counted[i]] = std::move(terms.rows[i]);
  return out;
}

// Sum over the shards in their order; zeros where no shard reached a parameter.
std::vector<at::Tensor> gradients_of(const LogPartition& network,
                                     const std::vector<LogPartition>& views) {
  std::vector<at::Tensor> sums;
  for (const lm::NamedTensor& parameter : network.parameters())
    sums.push_back(at::zeros_like(parameter.tensor));
  for (const LogPartition& view : views) {
    const std::vector<lm::NamedTensor> parameters = view.parameters();
    for (std::size_t i = 0; i < sums.size(); ++i)
      if (parameters[i].tensor.grad().defined()) sums[i].add_(parameters[i].tensor.grad());
  }
  return sums;
}

}  // namespace

void SamplerMismatch::add_token(double here, double sampled) {
  const double difference = std::abs(here - sampled), ratio = std::exp(here - sampled);
  add({1, difference, difference, ratio, ratio * ratio, ratio, ratio});
}

void SamplerMismatch::add(const SamplerMismatch& other) {
  if (other.tokens == 0) return;
  ratio_min = tokens == 0 ? other.ratio_min : std::min(ratio_min, other.ratio_min);
  ratio_max = std::max(ratio_max, other.ratio_max);
  ratio_sum += other.ratio_sum;
  ratio_squares += other.ratio_squares;
  sum += other.sum;
  max = std::max(max, other.max);
  tokens += other.tokens;
}

std::vector<Metric> SamplerMismatch::metrics() const {
  if (tokens == 0) return {};
  return {{"mismatch/logp_diff_mean", sum / tokens},
          {"mismatch/logp_diff_max", max},
          {"mismatch/ratio_min", ratio_min},
          {"mismatch/ratio_mean", ratio_sum / tokens},
          {"mismatch/ratio_max", ratio_max},
          {"mismatch/ess", ratio_sum * ratio_sum / (tokens * ratio_squares)}};
}

double PolicyGradient::mean_entropy() const {
  return sums.trained > 0 ? sums.entropy_sum / sums.trained : 0;
}

PolicyGradient policy_gradient(const lm::Model& model, const TrainRows& rows,
                               const UpdatePlan& plan, const UpdateMoment& moment,
                               const PolicyGradientSettings& settings) {
  if (settings.loss.surrogate == objective::Surrogate::FlowBalance &&
      moment.log_partition == nullptr)
    throw Error(ErrorKind::Internal, "policy gradient", "flow_balance needs its log Z");
  PolicyGradient out;
  Job job{rows, plan, moment, settings};
  job.entropy_coef = moment.entropy.value();
  std::vector<std::uint32_t> computed = plan.computed;
  WholeStep whole;
  if (objective::needs_whole_step(settings.loss) || objective::requirements(settings.loss).top_k) {
    whole = whole_step(model, rows, plan, moment, settings);
    job.terms = &whole.terms;
    job.entropy_coef = whole.entropy_coef;
    out.terms = whole.sums;
    out.head = std::move(whole.head);
    out.scored = whole.positions;
    std::erase_if(computed, [&](std::uint32_t row) { return whole.terms[row].size() == 0; });
  }
  const Shards shards = shards_of(rows, computed, settings.pack);
  std::vector<LogPartition> partitions;
  for (std::size_t s = 0; moment.log_partition != nullptr && s < shards.size(); ++s)
    partitions.push_back(moment.log_partition->training_view());

  std::vector<objective::ItemRatio> ratios(rows.rows.size());  // shards write distinct entries
  std::vector<ShardReport> reports(shards.size());
  out.gradients = summed_gradients(
      model, static_cast<int>(shards.size()), workers_for(model, settings.workers),
      [&](const lm::Model& view, int shard) {
        const auto s = static_cast<std::size_t>(shard);
        const ShardViews views{view, partitions.empty() ? nullptr : &partitions[s]};
        for (const MicroBatch& batch : shards[s]) run_batch(views, batch, job, reports[s], ratios);
      });
  if (moment.log_partition != nullptr)
    out.log_partition = gradients_of(*moment.log_partition, partitions);
  for (const ShardReport& report : reports) {
    out.sums.add(report.sums);
    out.terms.add(report.terms);
    out.mismatch.add(report.mismatch);
  }
  for (const std::uint32_t row : plan.computed) out.items.push_back(ratios[row]);
  out.positions = positions_of(shards);
  return out;
}

}  // namespace allot
