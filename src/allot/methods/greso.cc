// GRESO: a prompt is skipped at random before its rollouts, the more likely the more often in a row
// it gave no signal; the groups that come back pass the filter of dynamic sampling.
//
// Source: arXiv 2506.02177.
#include <algorithm>
#include <cmath>

#include "allot/core/state.h"
#include "allot/methods/parts/filtered_batch.h"
#include "allot/methods/parts/metric_list.h"
#include "allot/methods/parts/prompt_draws.h"
#include "allot/methods/parts/requests.h"
#include "allot/methods/parts/skipping.h"
#include "allot/methods/parts/useless_runs.h"
#include "allot/methods/registry.h"

namespace allot {
namespace {

struct GresoOptions {
  double candidates_per_group = 1.5;
  int smallest_draw = 8;
  SkipOptions skip;
  bool reweight = false;

  template <class V>
  void fields(V& v) {
    v("candidates_per_group", candidates_per_group, Range{1, 100},
      "prompts of the largest draw per group of the batch");
    v("smallest_draw", smallest_draw, Range{1, 65536}, "prompts of the smallest draw");
    skip.fields(v);
    v("reweight", reweight,
      "weigh each group by 1 / its keep probability, over a constant: against the bias of "
      "skipping");
  }
  void validate(const AllocOptions& shared) const {
    require_group_of_two(shared);
    skip.validate("alloc.greso");
  }
};

class Greso final : public Method {
 public:
  Greso(const AllocOptions& alloc, const AdvantageOptions& adv)
      : group_size_(static_cast<std::uint32_t>(alloc.group_size)),
        refill_(alloc.refill),
        options_(alloc.section("greso").as<GresoOptions>()),
        rule_(advantage_rule(adv, GroupKind::Plain)),
        acceptance_{AcceptBy::Reward, adv.resolution, refill_.accept_range},
        skipping_(options_.skip) {}

  Needs needs() const override {
    return {.role = Role::Chooser,
            .candidate_factor = static_cast<float>(options_.candidates_per_group),
            .refill = true,
            .hold = refill_.keep_surplus};
  }

  Decision plan(const BatchView& view) override {
    pool_.clear();
    wanted_ = view.budget.groups;
    last_draw_ = false;
    skipping_.open(view.seed, view.step,
                   view.candidates.empty() ? 0 : view.candidates.front().epoch);
    surplus_.expire(view.policy, static_cast<std::uint32_t>(refill_.max_age), view.lost);
    draws_.open(skipping_.survivors(view.candidates),
                static_cast<std::uint32_t>(refill_.max_rounds));
    return next_draw(view.budget);
  }

  Decision observe(const Events& events) override {
    pool_.add(events.outcomes);
    draws_.answer(events.prompts, skipping_.survivors(events.prompts));
    if (events.deadline) return {.done = true};
    Decision decision = go_on(events.left);
    const bool waiting = pool_.outstanding() > 0 || decision.refill > 0;
    return waiting ? decision : next_draw(events.left);
  }

  TrainBatch finalize() override {
    FilteredBatch filled = filtered_batch(pool_, surplus_, acceptance_, rule_, wanted_,
                                          refill_.keep_surplus ? Rest::Hold : Rest::Discard);
    TrainBatch& batch = filled.batch;
    batch.norm = Norm::PerToken;
    if (options_.reweight) reweight(batch);
    set_metrics(filled);
    skipping_.learn(batch.reports, metrics_);
    return std::move(batch);
  }

  std::vector<Metric> metrics() const override { return metrics_.all(); }
  std::string save() const override { return save_state("greso", 1, *this); }
  void load(std::string_view blob, std::uint64_t) override { load_state("greso", 1, blob, *this); }

  template <class V>
  void state(V& v) {
    v(pool_);
    v(draws_);
    v(surplus_);
    v(skipping_);
    v(wanted_);
    v(draw_start_);
    v(last_draw_);
    v(metrics_);
  }

 private:
  // The next draw of prompts; done if the batch is full or nothing more may be drawn.
  Decision next_draw(const Budget& left) {
    draws_.start(std::min(next_size(), affordable_groups(rollouts(left), left)));
    draw_start_ = pool_.size();
    Decision decision = go_on(left);
    decision.done = decision.generate.empty() && decision.refill == 0;
    return decision;
  }

  std::uint32_t next_size() {
    const std::size_t have = surplus_.size() + acceptance_.count(pool_.groups());
    if (have >= wanted_ || last_draw_) return 0;
    const auto missing = static_cast<std::uint32_t>(wanted_ - have);
    const double factor = options_.candidates_per_group;
    const auto smallest = static_cast<std::uint32_t>(options_.smallest_draw);
    const auto largest =
        std::max(smallest, static_cast<std::uint32_t>(std::ceil(factor * wanted_)));
    if (draws_.count() == 0)
      return std::max(smallest, static_cast<std::uint32_t>(std::ceil(factor * missing)));
    const auto drawn = std::span(pool_.groups()).subspan(draw_start_);
    const auto useless = std::count_if(drawn.begin(), drawn.end(), [&](const Group& group) {
      return !acceptance_.accepts(group);
    });
    const double share = drawn.empty() ? 1 : static_cast<double>(useless) / double(drawn.size());
    const NextDraw next = next_useful_draw(missing, share, smallest, largest);
    last_draw_ = next.last;
    return next.size;
  }

  // Requests for the prompts of the draw that are at hand, and a wish for the rest; some of those
  // will be skipped and wished for again.
  Decision go_on(const Budget& left) {
    Decision decision;
    decision.generate =
        request_each(draws_.take(), rollouts(left), affordable_rollouts(left), pool_);
    decision.refill = draws_.wish();
    return decision;
  }

  std::uint32_t rollouts(const Budget& budget) const { return within_bounds(group_size_, budget); }

  void reweight(TrainBatch& batch) const {
    batch.norm = Norm::Fixed;
    batch.fixed = std::max(1.0, double(wanted_) * group_size_);
    for (const TrainGroup& group : batch.groups)
      for (std::uint32_t i = group.first; i < group.first + group.count; ++i)
        batch.items[i].weight = static_cast<float>(1 / skipping_.keep(group.prompt));
  }

  void set_metrics(const FilteredBatch& filled) {
    metrics_.clear();
    metrics_.set("draws", draws_.count());
    metrics_.set("short_batch", filled.old + filled.used < wanted_);
    metrics_.set("surplus_used", filled.old);
    metrics_.set("surplus_left", filled.rest);
    metrics_.set("surplus_expired", surplus_.expired());
  }

  std::uint32_t group_size_;
  RefillOptions refill_;
  GresoOptions options_;
  AdvantageRule rule_;
  Acceptance acceptance_;
  GroupPool pool_;
  PromptDraws draws_;
  Surplus surplus_;
  Skipping skipping_;
  std::uint32_t wanted_ = 0;      // groups of a full batch
  std::uint32_t draw_start_ = 0;  // groups of earlier draws of the step
  bool last_draw_ = false;
  MetricList metrics_;
};

}  // namespace

MethodInfo greso_method() {
  return {"greso",
          "skips prompts at random that gave no signal before; then as dapo",
          "GRESO, arXiv 2506.02177",
          MethodSection(GresoOptions{}),
          construct<Greso>,
          /*shares_refill=*/true};
}

}  // namespace allot
