// Reinforce-Ada, sequential: sample a prompt in rounds until its pool holds enough positive and
// negative rollouts, then train on a small balanced subset.
//
// Source: arXiv 2510.04996 and its released code. The default estimator undoes the selection
// (strata weights, ours); the published one is estimator=pool_mean.
#include <algorithm>

#include "allot/core/state.h"
#include "allot/methods/parts/batch_builder.h"
#include "allot/methods/parts/metric_list.h"
#include "allot/methods/parts/requests.h"
#include "allot/methods/parts/sampled_pool.h"
#include "allot/methods/parts/stages.h"
#include "allot/methods/registry.h"

namespace allot {
namespace {

struct ReinforceAdaOptions {
  int rounds = 4, round_size = 0, kept = 0;
  double threshold = 0.7;
  StopWhen stop = StopWhen::Balanced;
  EstimateOptions estimate;

  template <class V>
  void fields(V& v) {
    v("rounds", rounds, Range{1, 1000}, "most rounds of a prompt");
    v("round_size", round_size, Range{0, 65536}, "rollouts per round; 0 = alloc.group_size");
    v("kept", kept, Range{0, 65536},
      "rollouts of a prompt that are trained on; 0 = half of alloc.group_size, at least 2");
    v("threshold", threshold, Range{-1e6, 1e6}, "a rollout with a larger reward is positive");
    v("stop", stop,
      Choices<StopWhen>{{"balanced", StopWhen::Balanced},
                        {"positive_focused", StopWhen::OnePositive}},
      "a prompt is finished with half of kept positive and the other half negative, or with one "
      "positive");
    estimate.fields(v);
  }
  ReinforceAdaOptions resolved(const AllocOptions& shared) const {
    ReinforceAdaOptions out = *this;
    if (round_size == 0) out.round_size = shared.group_size;
    if (kept == 0) out.kept = std::max(2, shared.group_size / 2);
    return out;
  }
  void validate(const AllocOptions& shared) const {
    const ReinforceAdaOptions o = resolved(shared);
    const std::int64_t most = std::int64_t{o.rounds} * o.round_size;
    require_option(o.kept >= 2 && o.kept <= most, "alloc.reinforce_ada.kept", o.kept,
                   concat("between 2 and rounds * round_size (", most, ")"));
    estimate.validate("alloc.reinforce_ada");
  }
};

class ReinforceAda final : public Method {
 public:
  ReinforceAda(const AllocOptions& alloc, const AdvantageOptions& adv)
      : options_(alloc.section("reinforce_ada").as<ReinforceAdaOptions>().resolved(alloc)),
        rule_(advantage_rule(adv, GroupKind::Plain)) {}

  Needs needs() const override {
    return {.role = Role::InGroup, .max_rounds = static_cast<std::uint32_t>(options_.rounds)};
  }

  Decision plan(const BatchView& view) override {
    pool_.clear();
    round_ = 1;
    return ask_each(view, size(), pool_);
  }

  // A round is counted completely, also beyond the stopping condition.
  Decision observe(const Events& events) override {
    pool_.add(events.outcomes);
    if (events.deadline || pool_.outstanding() > 0) return {.done = events.deadline};
    if (round_ >= options_.rounds) return {.done = true};
    std::vector<PromptId> unfinished;
    for (const Group& group : pool_.groups())
      if (group.scored_count() > 0 &&
          !is_finished(group, options_.threshold, options_.stop, kept()))
        unfinished.push_back(group.prompt);
    const auto tag = static_cast<std::uint32_t>(round_++);
    return ask(request_stage(unfinished, size(), tag, events.left, pool_));
  }

  TrainBatch finalize() override {
    TrainBatch batch{.norm = Norm::PerToken};
    const SampledPools pools = sampled_pools(pool_.groups(), options_.threshold, kept());
    const auto estimates = weighted_advantages(pools, options_.estimate, rule_);
    for (std::size_t i = 0; i < pool_.size(); ++i) {
      const Group& group = pool_.groups()[i];
      const std::uint32_t n = ship(batch, group, pools.kept[i], estimates[i]);
      report(batch, group, group.cause(rule_.resolution), n);
    }
    metrics_ = pool_metrics(pools, options_.threshold, estimates, options_.stop, kept(),
                            static_cast<std::uint32_t>(options_.rounds));
    return batch;
  }

  std::vector<Metric> metrics() const override { return metrics_.all(); }
  std::string save() const override { return save_state("reinforce_ada", 1, *this); }
  void load(std::string_view blob, std::uint64_t) override {
    load_state("reinforce_ada", 1, blob, *this);
  }

  template <class V>
  void state(V& v) {
    v(pool_);
    v(round_);
    v(metrics_);
  }

 private:
  std::uint32_t size() const { return static_cast<std::uint32_t>(options_.round_size); }
  std::uint32_t kept() const { return static_cast<std::uint32_t>(options_.kept); }

  ReinforceAdaOptions options_;
  AdvantageRule rule_;
  GroupPool pool_;
  int round_ = 0;  // rounds requested so far
  MetricList metrics_;
};

}  // namespace

MethodInfo reinforce_ada_method() {
  return {"reinforce_ada",
          "rounds until both right and wrong rollouts are there; trains on a balanced few",
          "Reinforce-Ada, arXiv 2510.04996", MethodSection(ReinforceAdaOptions{}),
          construct<ReinforceAda>};
}

}  // namespace allot
