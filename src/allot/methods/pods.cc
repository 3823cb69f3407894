// PODS: generate many rollouts per prompt and train on the few whose rewards have the largest
// variance.
//
// Source: arXiv 2504.13818 and its released code; the scan is parts/max_variance.h.
#include "allot/core/state.h"
#include "allot/methods/parts/batch_builder.h"
#include "allot/methods/parts/max_variance.h"
#include "allot/methods/parts/metric_list.h"
#include "allot/methods/parts/pool_estimators.h"
#include "allot/methods/parts/requests.h"
#include "allot/methods/registry.h"

namespace allot {
namespace {

enum class Statistics { Kept, Pool, Strata };

struct PodsOptions {
  int rollouts = 0, kept = 0;
  Statistics statistics = Statistics::Kept;

  template <class V>
  void fields(V& v) {
    v("rollouts", rollouts, Range{0, 65536},
      "rollouts of each prompt; 0 = four times alloc.group_size");
    v("kept", kept, Range{0, 65536},
      "rollouts of a prompt that are trained on; 0 = alloc.group_size");
    v("statistics", statistics,
      Choices<Statistics>{
          {"kept", Statistics::Kept}, {"pool", Statistics::Pool}, {"strata", Statistics::Strata}},
      "advantages by adv.* over the kept rollouts; by mean and deviation of all; or reward minus "
      "mean of all with weights that undo the selection (verdicts as strata)");
  }
  PodsOptions resolved(const AllocOptions& shared) const {
    PodsOptions out = *this;
    if (rollouts == 0) out.rollouts = 4 * shared.group_size;
    if (kept == 0) out.kept = shared.group_size;
    return out;
  }
  void validate(const AllocOptions& shared) const {
    const PodsOptions o = resolved(shared);
    require_option(o.kept >= 2, "alloc.pods.kept", o.kept,
                   "at least 2 (one rollout has no baseline)");
    require_option(o.rollouts >= o.kept, "alloc.pods.rollouts", o.rollouts,
                   concat("at least alloc.pods.kept (", o.kept, ")"));
  }
};

class Pods final : public Method {
 public:
  Pods(const AllocOptions& alloc, const AdvantageOptions& adv)
      : options_(alloc.section("pods").as<PodsOptions>().resolved(alloc)),
        rule_(advantage_rule(adv, GroupKind::Curated)) {}

  Needs needs() const override { return {.role = Role::InGroup}; }

  Decision plan(const BatchView& view) override {
    pool_.clear();
    return ask_each(view, static_cast<std::uint32_t>(options_.rollouts), pool_);
  }

  Decision observe(const Events& events) override { return await_all(events, pool_); }

  TrainBatch finalize() override {
    const Ragged<double> rewards = scored_rewards(pool_.groups());
    const Selections selections = select(rewards);
    const Ragged<WeightedAdvantage> weighted = estimates(rewards, selections);
    TrainBatch batch;  // Norm::PerGroup
    for (std::size_t i = 0; i < pool_.size(); ++i) {
      const Group& group = pool_.groups()[i];
      const auto n = ship(batch, group, selections.kept[i], weighted[i]);
      report(batch, group, group.cause(rule_.resolution), n);
    }
    set_metrics(rewards, selections);
    return batch;
  }

  std::vector<Metric> metrics() const override { return metrics_.all(); }
  std::string save() const override { return save_state("pods", 1, *this); }
  void load(std::string_view blob, std::uint64_t) override { load_state("pods", 1, blob, *this); }

  template <class V>
  void state(V& v) {
    v(pool_);
    v(metrics_);
  }

 private:
  // A list per group.
  struct Selections {
    Ragged<std::uint32_t> indices;        // into the scored rollouts
    Ragged<std::uint32_t> kept;           // the same as positions in the group
    Ragged<double> rewards;               // of these
    std::vector<std::uint32_t> from_top;  // how many of them are the largest rewards
  };

  Selections select(const Ragged<double>& rewards) const {
    Selections out;
    Ragged<std::uint32_t> scored;
    for (std::size_t g = 0; g < rewards.size(); ++g) {
      scored.add(pool_.groups()[g].scored());
      out.from_top.push_back(add_max_variance_subset(
          rewards[g], static_cast<std::uint32_t>(options_.kept), out.indices));
      for (const std::uint32_t i : out.indices.back()) {
        out.kept.push(scored.back()[i]);
        out.rewards.push(rewards[g][i]);
      }
      out.kept.close();
      out.rewards.close();
    }
    return out;
  }

  // By verdict as stratum.
  Ragged<WeightedAdvantage> strata_estimates(const Ragged<double>& rewards,
                                             const Selections& selections) const {
    Ragged<WeightedAdvantage> out;
    Ragged<PoolRow> kept;
    for (std::size_t g = 0; g < rewards.size(); ++g) {
      const Group& group = pool_.groups()[g];
      for (const std::uint32_t i : selections.kept[g])
        kept.push({group[i].reward, group[i].correct});
      kept.close();
      add_pool_advantages(PoolEstimator::Strata, {rewards[g], group.correct_count()}, kept.back(),
                          rule_.resolution, out);
    }
    return out;
  }

  Ragged<WeightedAdvantage> estimates(const Ragged<double>& rewards,
                                      const Selections& selections) const {
    if (options_.statistics == Statistics::Strata) return strata_estimates(rewards, selections);
    Ragged<WeightedAdvantage> out;
    const bool of_kept = options_.statistics == Statistics::Kept;
    const auto advantages = group_advantages(of_kept ? selections.rewards : rewards, rule_);
    for (std::size_t g = 0; g < rewards.size(); ++g) {
      const auto indices = selections.indices[g];
      for (std::size_t k = 0; k < indices.size(); ++k)
        out.push({advantages[g][of_kept ? k : indices[k]]});
      out.close();
    }
    return out;
  }

  void set_metrics(const Ragged<double>& rewards, const Selections& selections) {
    double scored = 0, equal = 0, top = 0, kept = 0, correct = 0, pool_std = 0, kept_std = 0;
    for (std::size_t g = 0; g < rewards.size(); ++g) {
      const auto all = rewards[g];
      scored += !all.empty();
      if (degenerate(all, rule_.resolution)) {
        equal += !all.empty();
        continue;
      }
      top += selections.from_top[g];
      kept += static_cast<double>(selections.kept[g].size());
      for (const std::uint32_t i : selections.kept[g]) correct += pool_.groups()[g][i].correct;
      pool_std += standard_deviation(all, 0);
      kept_std += standard_deviation(selections.rewards[g], 0);
    }
    metrics_.clear();
    metrics_.set_share("all_equal_share", equal, scored);
    metrics_.set_share("k_top", top, scored - equal);
    metrics_.set_share("kept_share_correct", correct, kept);
    metrics_.set_share("pool_std", pool_std, scored - equal);
    metrics_.set_share("kept_std", kept_std, scored - equal);
  }

  PodsOptions options_;
  AdvantageRule rule_;
  GroupPool pool_;
  MetricList metrics_;
};

}  // namespace

MethodInfo pods_method() {
  return {"pods", "many rollouts, training on the few whose rewards have the largest variance",
          "PODS, arXiv 2504.13818", MethodSection(PodsOptions{}), construct<Pods>};
}

}  // namespace allot
