// SPEED-RL: a few rollouts screen each prompt, and only prompts of mixed outcome get the rest. New
// screenings and the continuation of earlier prompts share one generation call.
//
// Source: arXiv 2506.09016. Qualified and complete groups wait in queues over steps, so they are
// trained on by a policy that is one or more updates newer.
#include <algorithm>
#include <cmath>

#include "allot/core/prompt_table.h"
#include "allot/core/state.h"
#include "allot/methods/parts/acceptance.h"
#include "allot/methods/parts/batch_builder.h"
#include "allot/methods/parts/held_ids.h"
#include "allot/methods/parts/metric_list.h"
#include "allot/methods/parts/prompt_draws.h"
#include "allot/methods/parts/requests.h"
#include "allot/methods/parts/screen_queues.h"
#include "allot/methods/registry.h"

namespace allot {
namespace {

constexpr std::uint32_t kScreening = 0, kContinuation = 1;  // tags

enum class Base { Rloo, Configured };

struct SpeedOptions {
  int n_init = 0, n_cont = 0;
  double screened_per_group = 4;
  int max_calls = 50;
  int max_age = 8;
  Base base = Base::Rloo;
  bool recompute = true;

  template <class V>
  void fields(V& v) {
    v("n_init", n_init, Range{0, 65536},
      "rollouts of a prompt's screening; 0 = half of alloc.group_size");
    v("n_cont", n_cont, Range{0, 65536},
      "further rollouts of a prompt of mixed outcome; 0 = three times n_init");
    v("screened_per_group", screened_per_group, Range{.01, 1e4},
      "prompts screened in a generation call per group of the batch");
    v("max_calls", max_calls, Range{1, 1e6},
      "generation calls per step; then the step trains on what is ready");
    v("max_age", max_age, Range{0, 1e6},
      "a group is dropped when its oldest rollout is more updates old than this");
    v("base", base, Choices<Base>{{"rloo", Base::Rloo}, {"adv", Base::Configured}},
      "advantages: leave-one-out without a scale, or as adv.* says");
    v("recompute", recompute,
      "the ratio of older rollouts starts at 1, from log-probabilities of the policy that is "
      "trained; false: it is against the policy that generated them");
  }
  // The zeros above decided.
  SpeedOptions resolved(const AllocOptions& shared) const {
    SpeedOptions out = *this;
    if (n_init == 0) out.n_init = std::max(1, shared.group_size / 2);
    if (n_cont == 0) out.n_cont = 3 * out.n_init;
    return out;
  }
  void validate(const AllocOptions& shared) const {
    const SpeedOptions o = resolved(shared);
    require_option(o.n_init >= 2, "alloc.speed.n_init", o.n_init,
                   "at least 2 (one rollout is never mixed)");
    require_option(shared.n_min <= o.n_init, "alloc.n_min", shared.n_min,
                   concat("at most alloc.speed.n_init (", o.n_init, ")"));
    require_option(shared.n_max == 0 || shared.n_max >= o.n_init + o.n_cont, "alloc.n_max",
                   shared.n_max,
                   concat("0 or at least n_init + n_cont (", o.n_init + o.n_cont, ")"));
  }
};

class Speed final : public Method {
 public:
  Speed(const AllocOptions& alloc, const AdvantageOptions& adv)
      : options_(alloc.section("speed").as<SpeedOptions>().resolved(alloc)),
        n_init_(static_cast<std::uint32_t>(options_.n_init)),
        n_cont_(static_cast<std::uint32_t>(options_.n_cont)),
        rule_(advantage_rule(adv, GroupKind::Plain)),
        mixed_{AcceptBy::Correct, 0, {}} {
    if (options_.base == Base::Rloo) rule_.estimator = AdvantageEstimator::LeaveOneOut;
  }

  // No candidates with the plan: most steps train on groups that are ready and screen nobody.
  Needs needs() const override {
    return {.candidate_factor = 0, .max_rounds = 2, .refill = true, .hold = true};
  }

  Decision plan(const BatchView& view) override {
    pool_.clear();
    policy_ = view.policy;
    wanted_ = view.budget.groups;
    calls_ = screened_ = qualified_ = 0;
    dropped_tokens_ = 0;
    held_.lose(view.lost);
    expired_ = queues_.open(policy_, static_cast<std::uint32_t>(options_.max_age), view.lost);
    draws_.open(view.candidates, static_cast<std::uint32_t>(options_.max_calls));
    return next_call(view.budget);
  }

  Decision observe(const Events& events) override {
    pool_.add(events.outcomes);
    for (const Outcome& outcome : events.outcomes)
      if (outcome.tag == kContinuation) queues_.add(outcome);
    draws_.answer(events.prompts);
    Decision decision;
    if (!events.deadline) screen(events.left, decision);
    if (pool_.outstanding() > 0 && !events.deadline) return decision;
    settle();
    return events.deadline ? Decision{.done = true} : next_call(events.left);
  }

  TrainBatch finalize() override {
    const std::size_t n = std::min<std::size_t>(queues_.ready().size(), wanted_);
    const auto trained = std::span(queues_.ready()).first(n);
    TrainBatch batch;
    batch.norm = Norm::PerToken;
    PromptTable<std::uint32_t> shipped;
    const auto advantages = group_advantages(scored_rewards(trained), rule_);
    for (std::size_t i = 0; i < n; ++i) {
      if (!has_signal(advantages[i])) continue;
      shipped[trained[i].prompt] = ship_scored(batch, trained[i], advantages[i]);
      if (!options_.recompute) anchor_old_items(batch, trained[i]);
    }
    for (const Group& group : pool_.groups()) {
      const Group* whole = queues_.find(group.prompt);  // with the rollouts of earlier steps
      report(batch, group, (whole ? *whole : group).cause(rule_.resolution), shipped[group.prompt]);
    }
    set_metrics(trained);
    queues_.pop_ready(n);
    held_.update(queues_.scored_ids(), batch);
    return batch;
  }

  std::vector<Metric> metrics() const override { return metrics_.all(); }
  std::string save() const override { return save_state("speed", 1, *this); }
  void load(std::string_view blob, std::uint64_t) override { load_state("speed", 1, blob, *this); }

  template <class V>
  void state(V& v) {
    v(pool_);
    v(draws_);
    v(queues_);
    v(held_);
    v(screening_);
    v(policy_);
    v(wanted_);
    v(calls_);
    v(screened_);
    v(qualified_);
    v(expired_);
    v(dropped_tokens_);
    v(metrics_);
  }

 private:
  // Continuations first, then new screenings unless the queues are full. Whole groups only, also
  // under a hard cap: a group has its n_init + n_cont rollouts or waits.
  Decision next_call(const Budget& left) {
    Decision decision;
    decision.done = queues_.ready().size() >= wanted_ ||
                    calls_ >= static_cast<std::uint32_t>(options_.max_calls);
    if (decision.done) return decision;
    std::uint64_t affordable = affordable_rollouts(left);
    for (const PromptId prompt : queues_.to_continue(affordable / n_cont_)) {
      pool_.request(prompt, n_cont_);
      decision.generate.push_back({prompt, n_cont_, kContinuation});
      affordable -= n_cont_;
    }
    const bool room = queues_.rollouts() <= 3ull * wanted_ * (n_init_ + n_cont_);
    const std::uint64_t payable = affordable / n_init_;
    const double wish = room ? std::ceil(options_.screened_per_group * wanted_) : 0;
    draws_.start(static_cast<std::uint32_t>(std::min(wish, static_cast<double>(payable))));
    Budget rest = left;
    rest.hard_rollouts = affordable;
    screen(rest, decision);
    decision.refill = draws_.wish();
    decision.done = decision.generate.empty() && decision.refill == 0;
    calls_ += !decision.done;
    return decision;
  }

  // Requests the screening of the prompts at hand. One that is still in a queue is passed over.
  void screen(const Budget& left, Decision& decision) {
    std::uint64_t affordable = affordable_rollouts(left);
    for (const PromptId prompt : draws_.take()) {
      if (queues_.find(prompt) || affordable < n_init_) continue;
      affordable -= n_init_;
      pool_.request(prompt, n_init_);
      screening_.push_back(prompt);
      decision.generate.push_back({prompt, n_init_, kScreening});
    }
  }

  // A generation call has ended: who is complete, who has qualified.
  void settle() {
    queues_.settle();
    for (const PromptId prompt : screening_) {
      const Group& group = pool_.group(prompt);
      if (mixed_.accepts(group)) {
        queues_.qualify(group);
        ++qualified_;
      } else {
        for (const OwnedOutcome& rollout : group.rollouts) dropped_tokens_ += rollout.record.tokens;
      }
    }
    screened_ += static_cast<std::uint32_t>(screening_.size());
    screening_.clear();
  }

  // Of the group that was shipped last.
  void anchor_old_items(TrainBatch& batch, const Group& group) const {
    auto item = items_of(batch, batch.groups.back()).begin();
    for (const std::uint32_t i : group.scored())
      (item++)->anchor = group[i].behaviour == policy_ ? Anchor::StepStart : Anchor::Behaviour;
  }

  void set_metrics(std::span<const Group> trained) {
    double age_sum = 0, age_max = 0;
    for (const Group& group : trained) {
      age_sum += age_of(group, policy_);
      age_max = std::max<double>(age_max, age_of(group, policy_));
    }
    metrics_.clear();
    metrics_.set("screened", screened_);
    metrics_.set_share("qualified_share", qualified_, screened_);
    metrics_.set("pending", queues_.pending().size());
    metrics_.set("ready", queues_.ready().size() - trained.size());
    metrics_.set("generation_calls", calls_);
    metrics_.set_share("age_mean", age_sum, trained.size());
    if (!trained.empty()) metrics_.set("age_max", age_max);
    metrics_.set("expired", expired_);
    metrics_.set("dropped_tokens", dropped_tokens_);
    metrics_.set("short_batch", trained.size() < wanted_);
  }

  SpeedOptions options_;
  std::uint32_t n_init_, n_cont_;
  AdvantageRule rule_;
  Acceptance mixed_;  // by verdict: a stopping rule never looks at shaped rewards
  GroupPool pool_;    // outcomes of this step
  PromptDraws draws_;
  ScreenQueues queues_;
  HeldIds held_;
  std::vector<PromptId> screening_;  // in the running generation call
  Version policy_ = 0;
  std::uint32_t wanted_ = 0;                                              // groups of a full batch
  std::uint32_t calls_ = 0, screened_ = 0, qualified_ = 0, expired_ = 0;  // of this step
  std::uint64_t dropped_tokens_ = 0;
  MetricList metrics_;
};

}  // namespace

MethodInfo speed_method() {
  return {"speed", "screens prompts with a few rollouts and continues only those of mixed outcome",
          "SPEED-RL, arXiv 2506.09016", MethodSection(SpeedOptions{}), construct<Speed>};
}

}  // namespace allot
