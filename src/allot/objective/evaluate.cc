#include "allot/objective/evaluate.h"

#include <algorithm>

#include "allot/objective/advantage_transform.h"
#include "allot/objective/entropy.h"

namespace allot::objective {
namespace {

bool penalizes(const LossOptions& o) {
  return o.kl.placement == KlPlacement::InReward && o.kl.beta > 0;
}

// beta sum_t (log old - log ref) of each row, unless it enters as return-to-go.
std::vector<double> penalties(const LossOptions& o, TokenStep token_step,
                              std::span<const LossRow> rows) {
  std::vector<double> out(rows.size(), 0);
  if (!penalizes(o) || token_step == TokenStep::ReturnToGo) return out;
  for (std::size_t i = 0; i < rows.size(); ++i)
    if (rows[i].scorable) out[i] = o.kl.beta * kl_of_row(rows[i], i);
  return out;
}

void require_entropy(const LossOptions& o, std::span<const LossRow> rows) {
  if (o.entropy_coef == 0 && !o.entropy.adaptive) return;
  for (std::size_t i = 0; i < rows.size(); ++i)
    if (rows[i].entropy.size() != rows[i].logprob.size())
      refuse_row(i, "loss.entropy_coef needs the entropy of each token");
}

Normalizer normalizer(const LossOptions& o) {
  Normalizer out;
  out.aggregation = o.aggregation == Aggregation::Method ? Aggregation::TokenMean : o.aggregation;
  out.length_divisor =
      out.aggregation == Aggregation::SeqMeanTokenSumNorm ? o.norm_constant : o.length_divisor;
  return out;
}

}  // namespace

std::vector<Metric> estimate_advantages(const LossOptions& given, const ScalarEstimator& estimator,
                                        Step& step) {
  const LossOptions o = given.expanded();
  if (step.rewards.size() != step.rows.size())
    throw Error(ErrorKind::Data, "objective",
                concat(step.rewards.size(), " rewards were given for ", step.rows.size(),
                       " rows; one each is needed"));
  std::vector<std::uint32_t> groups;
  for (const LossRow& row : step.rows) groups.push_back(row.group);
  const std::vector<double> penalty = penalties(o, estimator.token_step, step.rows);
  const ScalarAdvantages scalars = estimator.estimate(step.rewards, groups, penalty);
  for (std::size_t i = 0; i < step.rows.size(); ++i) {
    step.rows[i].advantage = scalars.values[i];
    step.rows[i].scorable = step.rows[i].scorable && scalars.scorable[i];
    step.rows[i].token_advantage.clear();
  }
  const WhitenRule rule = whiten_rule(o.compat);
  if (estimator.token_step == TokenStep::WhitenByToken) whiten_by_token(rule, step.rows);
  if (estimator.token_step == TokenStep::ReturnToGo)
    reinforce_plus_plus(scalars.values, penalizes(o) ? o.kl.beta : 0, estimator.gamma, rule,
                        step.rows);
  return scalars.metrics;
}

LossOptions whole_preset(LossOptions options) {
  options.preset_full = true;
  options.complete = false;  // the aggregation is still to be filled in
  return options;
}

Evaluation evaluate(const LossOptions& given, const ScalarEstimator& estimator, Step step) {
  const LossOptions whole = whole_preset(given);
  whole.validate();
  const LossOptions o = whole.expanded();
  require_entropy(o, step.rows);
  Evaluation out;
  if (step.rewards.empty() && !step.rows.empty() && penalizes(o))
    throw Error(ErrorKind::Config, "objective",
                "loss.kl.placement is in_reward, and external_advantage was given in place of "
                "rewards, from which the KL could be taken",
                "loss.kl.placement=none where the advantages have it already");
  if (!step.rewards.empty()) out.metrics = estimate_advantages(o, estimator, step);
  const StepTerms terms = step_terms(o, normalizer(o), step.rows, keyed_draw(step.seed, step.step));
  const double coefficient = EntropyCoefficient(o).acting(mean_entropy(step.rows, terms.rows));
  out.loss = reference_loss(o, step.rows, terms.rows, coefficient);
  for (const LossRow& row : step.rows) {
    std::vector<double>& advantages = out.advantages.emplace_back();
    for (std::size_t t = 0; t < row.logprob.size(); ++t)
      advantages.push_back(row.scorable ? row.advantage_at(t) : 0);
    out.scorable.push_back(row.scorable);
  }
  double truncated = 0;
  for (const LossRow& row : step.rows) truncated += row.truncated;
  out.metrics.push_back(
      {"length/truncated_frac", truncated / std::max(1.0, static_cast<double>(step.rows.size()))});
  const std::vector<Metric> loss = loss_metrics(o, out.loss.sums);
  out.metrics.insert(out.metrics.end(), loss.begin(), loss.end());
  const std::vector<Metric> of_terms = terms.metrics();
  out.metrics.insert(out.metrics.end(), of_terms.begin(), of_terms.end());
  out.terms = terms.rows;
  return out;
}

std::vector<Metric> loss_metrics(const LossOptions& options, const LossSums& sums, double updates) {
  std::vector<Metric> out = metrics_of(sums, updates);
  const double trained = std::max(1.0, sums.trained);
  if (options.kl.placement == KlPlacement::InLoss && options.kl.beta > 0) {
    out.push_back({"loss/kl", sums.kl / std::max(1.0, updates)});
    out.push_back({"policy/kl_ref", sums.kl_estimate / trained});
    out.push_back({"kl/zero_signal_share", sums.zero_signal / trained});
  }
  if (sums.entropy_sum != 0) {
    if (options.entropy_coef > 0 || options.entropy.adaptive)
      out.push_back({"loss/entropy", sums.entropy / std::max(1.0, updates)});
    out.push_back({"policy/entropy", sums.entropy_sum / trained});
  }
  out.push_back({"train/tokens", sums.trained});
  return out;
}

}  // namespace allot::objective
