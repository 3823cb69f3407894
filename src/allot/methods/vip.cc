// VIP: predicts every prompt's pass rate, then splits an exact step budget so that the variance of
// the gradient estimate is smallest.
//
// Source: arXiv 2602.01601. Its prediction is a Gaussian process over prompt embeddings; the form
// without embeddings, counts of earlier visits that fade, is ours.
#include <algorithm>
#include <cmath>

#include "allot/core/error.h"
#include "allot/core/state.h"
#include "allot/methods/parts/batch_builder.h"
#include "allot/methods/parts/belief.h"
#include "allot/methods/parts/gaussian_process.h"
#include "allot/methods/parts/group_loss.h"
#include "allot/methods/parts/heap_planner.h"
#include "allot/methods/parts/metric_list.h"
#include "allot/methods/parts/requests.h"
#include "allot/methods/parts/stated_rates.h"
#include "allot/methods/parts/variance_metrics.h"
#include "allot/methods/parts/variance_split.h"
#include "allot/methods/registry.h"

namespace allot {
namespace {

enum class VipBelief { Auto, Embedding, History };
enum class VipEstimator { Rule, Adv };

struct VipOptions {
  VarianceRule rule = VarianceRule::Rloo;
  VipEstimator estimator = VipEstimator::Rule;
  int least = 3, most = 0;
  VipBelief belief = VipBelief::Auto;
  double history_keep = .5, prior_a = 1, prior_b = 1;
  GaussianProcessOptions process;
  GroupLoss loss;

  template <class V>
  void fields(V& v) {
    v("rule", rule,
      Choices<VarianceRule>{{"rloo", VarianceRule::Rloo}, {"dr_grpo", VarianceRule::DrGrpo}},
      "estimator whose variance is made small");
    v("estimator", estimator,
      Choices<VipEstimator>{{"rule", VipEstimator::Rule}, {"adv", VipEstimator::Adv}},
      "advantages of that estimator, or of adv.*");
    v("least", least, Range{2, 65536}, "least rollouts of a prompt; dr_grpo needs 3");
    v("most", most, Range{0, 65536}, "most rollouts of a prompt; 0 = four times alloc.group_size");
    v("belief", belief,
      Choices<VipBelief>{{"auto", VipBelief::Auto},
                         {"embedding", VipBelief::Embedding},
                         {"history", VipBelief::History}},
      "what predicts pass rates: the Gaussian process over prompt embeddings, the prompt's own "
      "earlier verdicts, or the first where the host shows embeddings");
    v("history_keep", history_keep, Range{0, 1},
      "history: share of the earlier counts kept at a visit");
    v("prior_a", prior_a, Range{1e-6, 1e6}, "history: successes that the prior counts");
    v("prior_b", prior_b, Range{1e-6, 1e6}, "history: failures that the prior counts");
    process.fields(v);
    loss.fields(v);
  }
  VipOptions resolved(const AllocOptions& shared) const {
    VipOptions out = *this;
    if (most == 0) out.most = std::max(least, 4 * shared.group_size);
    return out;
  }
  void validate(const AllocOptions& shared) const {
    require_group_of_two(shared);
    require_option(least >= static_cast<int>(least_rollouts(rule)), "alloc.vip.least", least,
                   "at least 3 (dr_grpo's variance falls ever more slowly only from there)");
    require_option(most == 0 || least <= most, "alloc.vip.least", least,
                   concat("at most alloc.vip.most (", most, ")"));
  }
};

AdvantageRule estimator_of(const VipOptions& options, const AdvantageOptions& adv) {
  AdvantageRule rule = advantage_rule(adv, GroupKind::Plain);
  if (options.estimator == VipEstimator::Adv) return rule;
  const bool rloo = options.rule == VarianceRule::Rloo;
  rule.estimator = rloo ? AdvantageEstimator::LeaveOneOut : AdvantageEstimator::GroupRelative;
  rule.scale = AdvantageScale::None;
  return rule;
}

class Vip final : public Method {
 public:
  Vip(const AllocOptions& alloc, const AdvantageOptions& adv)
      : options_(alloc.section("vip").as<VipOptions>().resolved(alloc)),
        n_(static_cast<std::uint32_t>(alloc.group_size)),
        prior_strength_(alloc.prior_strength),
        rule_(estimator_of(options_, adv)),
        process_(options_.process) {}

  Needs needs() const override { return {.embedding = options_.belief == VipBelief::Embedding}; }

  Decision plan(const BatchView& view) override {
    groups_.clear();
    metrics_.clear();
    predicted_.clear();
    std::vector<PromptId> ids = ids_of(view.candidates);
    if (!ids.empty()) choose_belief(view.candidates);
    if (belief_ == VipBelief::Embedding) process_.show(view.candidates, "alloc.vip");
    PerPrompt allowed = allowed_bounds(view.budget);
    allowed.least = std::max(allowed.least, least_rollouts(options_.rule));
    allowed.most = std::max(allowed.most, allowed.least);
    const FeasibleStep step =
        feasible_step(ids.size(), {unsigned(options_.least), unsigned(options_.most)}, allowed,
                      step_rollouts(view.budget, ids.size(), n_));
    ids.resize(step.prompts);
    for (const PromptRef& prompt : view.candidates.first(step.prompts))
      predicted_.push_back(rate_of(prompt));
    const auto gain = [&](std::size_t i, std::uint32_t n) {
      return variance_gain(options_.rule, reward_spread(predicted_[i]), n);
    };
    const auto n = split_budget(gain, step.bounds, step.budget, fixed_tie_order(ids, view.seed));
    metrics_.set("relaxed", step.relaxed);
    metrics_.set("n_min_hit", std::count(n.begin(), n.end(), step.bounds.least));
    metrics_.set("n_max_hit", std::count(n.begin(), n.end(), step.bounds.most));
    return ask(request_counts(ids, n, groups_));
  }

  Decision observe(const Events& events) override { return await_all(events, groups_); }

  TrainBatch finalize() override {
    TrainBatch batch = batch_of(groups_.groups(), rule_);
    options_.loss.apply(batch);
    set_variance_metrics(metrics_, options_.rule, groups_.groups(), predicted_);
    std::vector<GaussianProcess::Observation> seen;
    for (const Group& group : groups_.groups()) {
      const std::uint32_t right = group.correct_count(), n = group.scored_count();
      if (n == 0) continue;  // rewards are missing: nothing was learnt
      seen.push_back({group.prompt, static_cast<double>(right) / n, n});
      if (belief_ == VipBelief::History)
        history_[group.prompt].add(right, n, options_.history_keep);
    }
    if (belief_ == VipBelief::Embedding) process_.observe(seen);
    return batch;
  }

  std::vector<Metric> metrics() const override { return metrics_.all(); }
  std::string save() const override { return save_state("vip", 1, *this); }
  void load(std::string_view blob, std::uint64_t) override { load_state("vip", 1, blob, *this); }

  template <class V>
  void state(V& v) {
    v(groups_);
    v(predicted_);
    v(belief_);
    v(process_);
    v(history_);
    v(metrics_);
  }

 private:
  // Once, by the first step with candidates: a run does not change what it believes in.
  void choose_belief(std::span<const PromptRef> shown) {
    if (belief_ != VipBelief::Auto) return;
    belief_ = options_.belief;
    if (belief_ == VipBelief::Auto)
      belief_ = shown[0].embedding.empty() ? VipBelief::History : VipBelief::Embedding;
  }

  double rate_of(const PromptRef& prompt) const {
    if (belief_ == VipBelief::Embedding) return process_.rate(prompt.id);
    const DecayedCounts* counts = history_.find(prompt.id);
    const BetaPrior prior =
        stated_prior(prompt.prior_pass_rate, {options_.prior_a, options_.prior_b}, prior_strength_);
    return posterior_mean(counts ? counts->successes : 0, counts ? counts->trials : 0, prior.a,
                          prior.b);
  }

  VipOptions options_;
  std::uint32_t n_;
  double prior_strength_;
  AdvantageRule rule_;
  GroupPool groups_;
  std::vector<double> predicted_;       // pass rates of the planned prompts, parallel to the groups
  VipBelief belief_ = VipBelief::Auto;  // Auto: not chosen yet
  GaussianProcess process_;
  PromptTable<DecayedCounts> history_;
  MetricList metrics_;
};

}  // namespace

MethodInfo vip_method() {
  return {"vip",
          "an exact step budget, split by predicted pass rates for the least gradient variance",
          "VIP, arXiv 2602.01601", MethodSection(VipOptions{}), construct<Vip>};
}

}  // namespace allot
