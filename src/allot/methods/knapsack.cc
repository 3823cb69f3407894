// Knapsack RL: an exact step budget, split so that as many groups as possible become mixed, with a
// preference for hard prompts. Source: arXiv 2509.25849 and its code,
// github.com/liziniu/KnapsackRL.
#include <algorithm>

#include "allot/core/error.h"
#include "allot/core/prompt_table.h"
#include "allot/core/state.h"
#include "allot/methods/parts/batch_builder.h"
#include "allot/methods/parts/belief.h"
#include "allot/methods/parts/group_loss.h"
#include "allot/methods/parts/heap_planner.h"
#include "allot/methods/parts/knapsack_plan.h"
#include "allot/methods/parts/metric_list.h"
#include "allot/methods/parts/requests.h"
#include "allot/methods/registry.h"

namespace allot {
namespace {

struct KnapsackOptions {
  int min_n = 2, max_n = 128, negative_n = 2, positive_n = 2;
  double confidence = .9;
  int history = 16, min_history = 8;
  bool released_planner = false;
  GroupLoss loss{GroupedNorm::PerToken, 5};

  template <class V>
  void fields(V& v) {
    const Range count{2, 65536};
    v("min_n", min_n, count, "least rollouts of a prompt");
    v("max_n", max_n, count, "most rollouts of a prompt");
    v("negative_n", negative_n, count, "base of a prompt whose last pass rate is 0");
    v("positive_n", positive_n, count, "base of a prompt whose last pass rate is 1");
    v("confidence", confidence, Range{.01, .9999},
      "a prompt needs no more rollouts than show its rarer verdict with this chance");
    v("history", history, Range{1, RecentVerdicts::kMost},
      "newest rollouts that give the pass rate of a prompt whose last visit had fewer");
    v("min_history", min_history, Range{1, 1e6}, "rollouts after which a prompt counts as known");
    v("released_planner", released_planner,
      "split as the released code does, where prompts left at min_n count nothing");
    loss.fields(v);
  }
  void validate(const AllocOptions& shared) const {
    require_group_of_two(shared);
    for (const auto& [key, n] : {std::pair{"alloc.knapsack.min_n", min_n},
                                 {"alloc.knapsack.negative_n", negative_n},
                                 {"alloc.knapsack.positive_n", positive_n}})
      require_option(n <= max_n, key, n, concat("at most alloc.knapsack.max_n (", max_n, ")"));
  }
};

class Knapsack final : public Method {
 public:
  Knapsack(const AllocOptions& alloc, const AdvantageOptions& adv)
      : options_(alloc.section("knapsack").as<KnapsackOptions>()),
        n_(static_cast<std::uint32_t>(alloc.group_size)),
        rule_(advantage_rule(adv, GroupKind::Plain)) {}

  Needs needs() const override { return {}; }

  Decision plan(const BatchView& view) override {
    groups_.clear();
    metrics_.clear();
    step_ = view.step;
    std::vector<PromptId> ids = ids_of(view.candidates);
    const FeasibleStep step =
        feasible_step(ids.size(), {unsigned(options_.min_n), unsigned(options_.max_n)},
                      allowed_bounds(view.budget), step_rollouts(view.budget, ids.size(), n_));
    ids.resize(step.prompts);
    std::vector<std::optional<double>> rates;
    for (const PromptId id : ids) rates.push_back(rate_of(id));
    const KnapsackPlan plan = knapsack_plan(rates, rule_within(step.bounds), step.budget,
                                            fixed_tie_order(ids, view.seed));
    note(plan, rates, step);
    return ask(request_counts(ids, plan.n, groups_));
  }

  Decision observe(const Events& events) override { return await_all(events, groups_); }

  TrainBatch finalize() override {
    TrainBatch batch = batch_of(groups_.groups(), rule_);
    options_.loss.apply(batch);
    std::uint64_t requested = 0;
    for (const Group& group : groups_.groups()) {
      requested += group.requested;
      if (group.scored_count() == 0) continue;  // rewards are missing: nothing was learnt
      RecentVerdicts& history = history_[group.prompt];
      history.start_visit(step_);
      for (const std::uint32_t i : group.scored()) history.add(group[i].correct);
    }
    metrics_.set_share("signal_share", batch.items.size(), requested);
    return batch;
  }

  std::vector<Metric> metrics() const override { return metrics_.all(); }
  std::string save() const override { return save_state("knapsack", 1, *this); }
  void load(std::string_view blob, std::uint64_t) override {
    load_state("knapsack", 1, blob, *this);
  }

  template <class V>
  void state(V& v) {
    v(groups_);
    v(history_);
    v(step_);
    v(metrics_);
  }

 private:
  std::optional<double> rate_of(PromptId prompt) const {
    const RecentVerdicts* h = history_.find(prompt);
    const auto least = static_cast<std::uint64_t>(options_.min_history);
    const auto window = static_cast<std::uint32_t>(options_.history);
    if (!h || h->count < least) return std::nullopt;
    return h->last_n < window ? h->rate_of_newest(window) : h->last_rate();
  }

  KnapsackRule rule_within(PerPrompt bounds) const {
    const auto within = [&](int n) {
      return std::clamp(static_cast<std::uint32_t>(n), bounds.least, bounds.most);
    };
    return {.n = std::clamp(n_, bounds.least, bounds.most),
            .min_n = bounds.least,
            .max_n = bounds.most,
            .negative_n = within(options_.negative_n),
            .positive_n = within(options_.positive_n),
            .confidence = options_.confidence,
            .released = options_.released_planner};
  }

  void note(const KnapsackPlan& plan, const std::vector<std::optional<double>>& rates,
            const FeasibleStep& step) {
    if (plan.n.empty()) return;
    const auto known = std::count_if(rates.begin(), rates.end(), [](auto& p) { return p; });
    metrics_.set("informative", plan.informative);
    metrics_.set("covered_prompts", known);
    metrics_.set("surplus", plan.surplus);
    metrics_.set_share("need_over_rest", plan.need, plan.rest);
    metrics_.set("max_n", *std::max_element(plan.n.begin(), plan.n.end()));
    metrics_.set("min_n", *std::min_element(plan.n.begin(), plan.n.end()));
    metrics_.set("relaxed", step.relaxed || plan.base_lowered);
  }

  KnapsackOptions options_;
  std::uint32_t n_;
  AdvantageRule rule_;
  GroupPool groups_;
  PromptTable<RecentVerdicts> history_;
  std::uint64_t step_ = 0;
  MetricList metrics_;
};

}  // namespace

MethodInfo knapsack_method() {
  return {"knapsack", "an exact step budget, split for the most mixed groups, hard prompts first",
          "Knapsack RL, arXiv 2509.25849", MethodSection(KnapsackOptions{}), construct<Knapsack>};
}

}  // namespace allot
