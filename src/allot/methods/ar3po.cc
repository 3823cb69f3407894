// AR3PO: sample in stages and stop a prompt at its first correct response; where none appears, put
// an earlier correct response of the same prompt into the group.
//
// Source: arXiv 2509.25808. Stages, the stop and the reuse are published; stage sizes, the buffer
// and the handling of the ratio are not, and docs/methods/ar3po.md says what is done here.
#include <algorithm>
#include <optional>

#include "allot/core/state.h"
#include "allot/methods/parts/batch_builder.h"
#include "allot/methods/parts/metric_list.h"
#include "allot/methods/parts/requests.h"
#include "allot/methods/parts/response_buffer.h"
#include "allot/methods/parts/reused_group.h"
#include "allot/methods/parts/selectors.h"
#include "allot/methods/parts/stages.h"
#include "allot/methods/registry.h"

namespace allot {
namespace {

struct Ar3poOptions {
  int stages = 2, stage_size = 0;
  ReuseOptions reuse;

  template <class V>
  void fields(V& v) {
    v("stages", stages, Range{1, 1000}, "most requests per prompt; the last one ends the group");
    v("stage_size", stage_size, Range{0, 65536},
      "responses per stage; 0 = half of alloc.group_size");
    reuse.fields(v);
  }
  Ar3poOptions resolved(const AllocOptions& shared) const {
    Ar3poOptions out = *this;
    if (stage_size == 0) out.stage_size = shared.group_size / 2;
    return out;
  }
  void validate(const AllocOptions& shared) const {
    const int k = resolved(shared).stage_size;
    require_option(k >= 1, "alloc.ar3po.stage_size", k,
                   "at least 1 (half of alloc.group_size unless set)");
    require_option(stages * std::int64_t{k} >= 2, "alloc.ar3po.stages", stages,
                   "stages times stage_size of at least 2 (one response has no baseline)");
  }
};

class Ar3po final : public Method {
 public:
  Ar3po(const AllocOptions& alloc, const AdvantageOptions& adv)
      : options_(alloc.section("ar3po").as<Ar3poOptions>().resolved(alloc)),
        rule_(advantage_rule(adv, GroupKind::Curated)) {}

  Needs needs() const override {
    return {.role = Role::InGroup,
            .max_rounds = static_cast<std::uint32_t>(options_.stages),
            .hold = options_.reuse.buffer > 0};
  }

  Decision plan(const BatchView& view) override {
    pool_.clear();
    seed_ = view.seed, step_ = view.step, policy_ = view.policy, stage_ = 1;
    buffer_.forget(view.lost);
    return ask_each(view, static_cast<std::uint32_t>(options_.stage_size), pool_);
  }

  Decision observe(const Events& events) override {
    pool_.add(events.outcomes);
    if (events.deadline || pool_.outstanding() > 0) return {.done = events.deadline};
    if (stage_ >= options_.stages) return {.done = true};
    const auto k = static_cast<std::uint32_t>(options_.stage_size);
    const auto tag = static_cast<std::uint32_t>(stage_++);
    return ask(request_stage(unsolved(), k, tag, events.left, pool_));
  }

  TrainBatch finalize() override {
    ReusedGroups members;
    for (const Group& group : pool_.groups())
      members.add(group, buffer_.of(group.prompt), options_.reuse,
                  selection_stream(seed_, step_, group.prompt));
    const auto advantages = group_advantages(std::move(members.rewards), rule_);
    // The mean over the planned prompts, with and without signal, of means over their members.
    TrainBatch batch{.norm = Norm::Fixed, .fixed = std::max(1.0, double(pool_.size()))};
    reused_.clear();
    double age = 0;
    Ragged<EarlierResponse> correct;
    for (std::size_t i = 0; i < pool_.size(); ++i) {
      const Group& group = pool_.groups()[i];
      const auto n = members.ship(i, group, advantages[i], options_.reuse.mode, batch);
      const bool has_reused = members.reused[i] && n > 0;
      report(batch, group, has_reused ? ZeroCause::None : group.cause(rule_.resolution), n);
      add_correct_responses(group, correct);
      if (!has_reused) continue;
      reused_.push_back(members.reused[i]->id);
      age += policy_ - members.reused[i]->behaviour;
    }
    for (std::size_t i = 0; i < pool_.size(); ++i)  // after the reuse: not in the step that made it
      buffer_.push(pool_.groups()[i].prompt, correct[i],
                   static_cast<std::size_t>(options_.reuse.buffer), batch);
    set_metrics(age);
    return batch;
  }

  void feedback(const Feedback& feedback) override {
    double sum = 0, n = 0;
    for (const ItemStat& item : feedback.items)
      if (std::count(reused_.begin(), reused_.end(), item.rollout)) sum += item.ratio, ++n;
    metrics_.set_share("ratio_reused", sum, n);
  }

  std::vector<Metric> metrics() const override { return metrics_.all(); }
  std::string save() const override { return save_state("ar3po", 1, *this); }
  void load(std::string_view blob, std::uint64_t) override { load_state("ar3po", 1, blob, *this); }

  template <class V>
  void state(V& v) {
    v(pool_);
    v(buffer_);
    v(seed_);
    v(step_);
    v(policy_);
    v(stage_);
    v(reused_);
    v(metrics_);
  }

 private:
  // Prompts without a correct response. One without any score is left alone: its rewards are
  // missing, not low.
  std::vector<PromptId> unsolved() const {
    std::vector<PromptId> prompts;
    for (const Group& group : pool_.groups())
      if (group.scored_count() > 0 && group.correct_count() == 0) prompts.push_back(group.prompt);
    return prompts;
  }

  void set_metrics(double age) {
    metrics_ = stage_metrics(pool_.groups(), static_cast<std::uint32_t>(options_.stages));
    metrics_.set_share("reuse_share", reused_.size(), pool_.size());
    metrics_.set_share("reuse_age", age, reused_.size());
    metrics_.set("buffer_size", buffer_.size());
  }

  Ar3poOptions options_;
  AdvantageRule rule_;
  GroupPool pool_;
  ResponseBuffer buffer_;
  std::uint64_t seed_ = 0, step_ = 0;
  Version policy_ = 0;
  int stage_ = 0;                  // stages requested so far
  std::vector<RolloutId> reused_;  // earlier responses in the last batch
  MetricList metrics_;
};

}  // namespace

MethodInfo ar3po_method() {
  return {"ar3po",
          "stages until the first correct response; an earlier correct one where none appears",
          "AR3PO, arXiv 2509.25808", MethodSection(Ar3poOptions{}), construct<Ar3po>};
}

}  // namespace allot
