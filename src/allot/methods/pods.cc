// PODS: generate many rollouts per prompt and train on the few whose rewards have the largest
// variance.
//
// Source: arXiv 2504.13818 and its released code; the scan is parts/max_variance.h.
#include "allot/core/state.h"
#include "allot/methods/parts/batch_builder.h"
#include "allot/methods/parts/max_variance.h"
#include "allot/methods/parts/metric_list.h"
#include "allot/methods/parts/requests.h"
#include "allot/methods/parts/sampled_pool.h"
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
    const auto n = static_cast<std::uint32_t>(options_.rollouts);
    return ask(request_each(ids_of(view.candidates), within_bounds(n, view.budget),
                            affordable_rollouts(view.budget), pool_));
  }

  Decision observe(const Events& events) override { return await_all(events, pool_); }

  TrainBatch finalize() override {
    std::vector<Selection> all;
    Ragged<double> compared;  // the rewards that statistics are taken of
    for (const Group& group : pool_.groups()) {
      all.push_back(selection_of(group));
      if (options_.statistics == Statistics::Kept)
        group.add_rewards(all.back().kept, compared);
      else
        group.add_rewards(group.scored(), compared);
    }
    const auto advantages = group_advantages(compared, rule_);
    TrainBatch batch;  // Norm::PerGroup
    for (std::size_t i = 0; i < all.size(); ++i) {
      const Group& group = *all[i].group;
      const auto n = ship(batch, group, all[i].kept, estimates(all[i], advantages[i]));
      report(batch, group, group.cause(rule_.resolution), n);
    }
    set_metrics(all);
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
  struct Selection {
    const Group* group = nullptr;
    VarianceSubset subset;  // indices into the scored rollouts
    Positions kept;         // in group->rollouts
  };

  Selection selection_of(const Group& group) const {
    const Positions scored = positions(group.scored());
    Selection out{
        &group,
        max_variance_subset(group.rewards(scored), static_cast<std::uint32_t>(options_.kept)),
        {}};
    out.kept.reserve(out.subset.kept.size());
    for (const std::uint32_t i : out.subset.kept) out.kept.push_back(scored[i]);
    return out;
  }

  // `advantages`: of the kept rollouts, or of all scored ones.
  std::vector<WeightedAdvantage> estimates(const Selection& selection,
                                           std::span<const double> advantages) const {
    const Group& group = *selection.group;
    if (options_.statistics == Statistics::Strata)
      return pool_advantages(PoolEstimator::Strata, verdict_rows(group, positions(group.scored())),
                             verdict_rows(group, selection.kept), rule_.resolution);
    std::vector<WeightedAdvantage> out;
    out.reserve(selection.kept.size());
    for (std::size_t k = 0; k < selection.kept.size(); ++k)
      out.push_back(
          {advantages[options_.statistics == Statistics::Kept ? k : selection.subset.kept[k]]});
    return out;
  }

  static std::vector<PoolRow> verdict_rows(const Group& group,
                                           std::span<const std::uint32_t> positions) {
    std::vector<PoolRow> rows;
    rows.reserve(positions.size());
    for (const std::uint32_t i : positions) rows.push_back({group[i].reward, group[i].correct});
    return rows;
  }

  void set_metrics(const std::vector<Selection>& all) {
    double scored = 0, equal = 0, top = 0, kept = 0, correct = 0, pool_std = 0, kept_std = 0;
    for (const Selection& s : all) {
      const std::vector<double> rewards = s.group->rewards(positions(s.group->scored()));
      scored += !rewards.empty();
      if (degenerate(rewards, rule_.resolution)) {
        equal += !rewards.empty();
        continue;
      }
      top += s.subset.from_top;
      kept += static_cast<double>(s.kept.size());
      for (const std::uint32_t i : s.kept) correct += (*s.group)[i].correct;
      pool_std += standard_deviation(rewards, 0);
      kept_std += standard_deviation(s.group->rewards(s.kept), 0);
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
