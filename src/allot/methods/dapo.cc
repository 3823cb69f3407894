// DAPO's dynamic sampling: only groups with mixed rewards enter the batch, and further prompts are
// drawn until it is full. Surplus groups start the next step.
//
// Source: arXiv 2503.14476. The token mean of its loss comes with the batch (Norm::PerToken); the
// clip range is loss.*, the overlong punishment (parts/overlong.h) belongs to the reward.
#include <algorithm>

#include "allot/core/state.h"
#include "allot/methods/parts/filtered_batch.h"
#include "allot/methods/parts/metric_list.h"
#include "allot/methods/parts/prompt_draws.h"
#include "allot/methods/parts/refill.h"
#include "allot/methods/parts/requests.h"
#include "allot/methods/registry.h"

namespace allot {
namespace {

struct DapoOptions {
  double candidates_per_group = 2;
  AcceptBy filter = AcceptBy::Reward;

  template <class V>
  void fields(V& v) {
    v("candidates_per_group", candidates_per_group, Range{1, 100},
      "prompts of the largest draw per group of the batch (paper: 3)");
    v("filter", filter,
      Choices<AcceptBy>{{"reward", AcceptBy::Reward}, {"correct", AcceptBy::Correct}},
      "what must differ in a group: rewards, or verdicts too (for rewards with a length term)");
  }
  void validate(const AllocOptions& shared) const { require_group_of_two(shared); }
};

class Dapo final : public Method {
 public:
  Dapo(const AllocOptions& alloc, const AdvantageOptions& adv)
      : group_size_(static_cast<std::uint32_t>(alloc.group_size)),
        refill_(alloc.refill),
        options_(alloc.section("dapo").as<DapoOptions>()),
        rule_(advantage_rule(adv, GroupKind::Plain)),
        acceptance_{options_.filter, adv.resolution, refill_.accept_range} {}

  Needs needs() const override {
    return {.candidate_factor = static_cast<float>(options_.candidates_per_group),
            .refill = true,
            .hold = refill_.keep_surplus};
  }

  Decision plan(const BatchView& view) override {
    pool_.clear();
    draws_.open(view.candidates, static_cast<std::uint32_t>(refill_.max_rounds));
    wanted_ = view.budget.groups;
    surplus_.expire(view.policy, static_cast<std::uint32_t>(refill_.max_age), view.lost);
    return next_draw(view.budget);
  }

  Decision observe(const Events& events) override {
    pool_.add(events.outcomes);
    draws_.answer(events.prompts);
    if (events.deadline) return {.done = true};
    Decision decision{.generate = request_drawn(events.left)};
    return pool_.outstanding() > 0 ? decision : next_draw(events.left);
  }

  TrainBatch finalize() override {
    FilteredBatch filled = filtered_batch(pool_, surplus_, acceptance_, rule_, wanted_,
                                          refill_.keep_surplus ? Rest::Hold : Rest::Discard);
    filled.batch.norm = Norm::PerToken;
    set_metrics(filled.old, filled.used, filled.rest);
    return std::move(filled.batch);
  }

  std::vector<Metric> metrics() const override { return metrics_.all(); }
  std::string save() const override { return save_state("dapo", 1, *this); }
  void load(std::string_view blob, std::uint64_t) override { load_state("dapo", 1, blob, *this); }

  template <class V>
  void state(V& v) {
    v(pool_);
    v(draws_);
    v(surplus_);
    v(wanted_);
    v(metrics_);
  }

 private:
  // The next draw of prompts; done if the batch is full or nothing more may be drawn.
  Decision next_draw(const Budget& left) {
    const std::uint32_t accepted = acceptance_.count(pool_.groups());
    const std::uint32_t size = draw_size({.wanted = wanted_,
                                          .have = surplus_.size() + accepted,
                                          .accepted = accepted,
                                          .seen = pool_.size(),
                                          .candidates_per_group = options_.candidates_per_group});
    draws_.start(std::min(size, affordable_groups(rollouts(left), left)));
    Decision decision{.generate = request_drawn(left)};
    decision.refill = draws_.wish();
    decision.done = decision.generate.empty() && decision.refill == 0;
    return decision;
  }

  std::vector<GenRequest> request_drawn(const Budget& left) {
    return request_each(draws_.take(), rollouts(left), affordable_rollouts(left), pool_);
  }

  std::uint32_t rollouts(const Budget& budget) const { return within_bounds(group_size_, budget); }

  void set_metrics(std::size_t old, std::size_t used, std::size_t rest) {
    metrics_.clear();
    metrics_.set("draws", draws_.count());
    metrics_.set_share("share_mixed", used + rest, pool_.size());
    metrics_.set("degraded", old + used < wanted_);
    metrics_.set("surplus_used", old);
    metrics_.set("surplus_left", rest);
    metrics_.set("surplus_expired", surplus_.expired());
  }

  std::uint32_t group_size_;
  RefillOptions refill_;
  DapoOptions options_;
  AdvantageRule rule_;
  Acceptance acceptance_;
  GroupPool pool_;
  PromptDraws draws_;
  Surplus surplus_;
  std::uint32_t wanted_ = 0;  // groups of a full batch
  MetricList metrics_;
};

}  // namespace

MethodInfo dapo_method() {
  return {"dapo",
          "groups with mixed rewards only; draws further prompts until the batch is full",
          "DAPO, arXiv 2503.14476",
          MethodSection(DapoOptions{}),
          construct<Dapo>,
          /*shares_refill=*/true};
}

}  // namespace allot
