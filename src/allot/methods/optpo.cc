// OptPO: the reward is agreement with the majority answer, and sampling of a prompt stops as soon
// as the votes are decisive.
//
// Source: arXiv 2512.02882v1; the stopping rule is parts/ballot.h. Decisions for different prompts
// are independent of each other, also under hard caps (each prompt has its own share), as
// Grain::Rollout asks for.
#include <algorithm>

#include "allot/core/prompt_table.h"
#include "allot/core/state.h"
#include "allot/methods/parts/batch_builder.h"
#include "allot/methods/parts/majority.h"
#include "allot/methods/parts/metric_list.h"
#include "allot/methods/parts/requests.h"
#include "allot/methods/parts/spares.h"
#include "allot/methods/registry.h"

namespace allot {
namespace {

struct OptpoOptions {
  double alpha = 0.05, beta = 0.05, p0 = 0.5;
  int classes = 4, floor = 0, cap = 0, batch = 0;

  template <class V>
  void fields(V& v) {
    v("alpha", alpha, Range{1e-12, 0.5}, "tolerated chance of a wrong label");
    v("beta", beta, Range{0, 0.5},
      "tolerated chance of missing it; the odds needed are (1-beta)/alpha");
    v("p0", p0, Range{1e-3, 0.999}, "assumed chance that a vote is the model's most likely answer");
    v("classes", classes, Range{2, 1e6},
      "assumed number of different answers, at least; more are counted when they are seen");
    v("floor", floor, Range{0, 65536},
      "fewest rollouts before a prompt may stop; 0 = alloc.group_size");
    v("cap", cap, Range{0, 65536}, "most rollouts of a prompt; 0 = eight times alloc.group_size");
    v("batch", batch, Range{0, 65536},
      "rollouts per request after the first; 0 = half of alloc.group_size");
  }
  OptpoOptions resolved(const AllocOptions& shared) const {
    OptpoOptions out = *this;
    if (floor == 0) out.floor = shared.group_size;
    if (cap == 0) out.cap = 8 * shared.group_size;
    if (batch == 0) out.batch = std::max(1, shared.group_size / 2);
    return out;
  }
  void validate(const AllocOptions& shared) const {
    const OptpoOptions o = resolved(shared);
    require_option(o.cap >= 2 && o.cap >= o.first(), "alloc.optpo.cap", o.cap,
                   concat("at least 2, floor and batch (", o.first(), ")"));
    if (!(alpha + beta < 1))
      throw Error(
          ErrorKind::Config, "alloc.optpo.alpha",
          concat(alpha, " was given with beta = ", beta, "; together less than 1 is needed"));
    if (!needed_lead(o.rule(), 0))
      throw Error(
          ErrorKind::Config, "alloc.optpo.p0",
          concat(p0, " was given; more than 1 / alloc.optpo.classes (1 / ", classes, ") is needed"),
          "otherwise a vote says nothing about the most likely answer");
  }
  int first() const { return std::max(floor, batch); }  // of the resolved options
  VoteRule rule() const { return {p0, (1 - beta) / alpha, static_cast<std::uint32_t>(classes)}; }
};

class Optpo final : public Method {
 public:
  Optpo(const AllocOptions& alloc, const AdvantageOptions& adv)
      : options_(alloc.section("optpo").as<OptpoOptions>().resolved(alloc)),
        rule_(advantage_rule(adv, GroupKind::Plain)) {}

  Needs needs() const override {
    const auto further = options_.cap - options_.first();
    return {.grain = Grain::Rollout,
            .max_rounds =
                1 + static_cast<std::uint32_t>((further + options_.batch - 1) / options_.batch),
            .cancel = true,
            .answer_class = true};
  }

  Decision plan(const BatchView& view) override {
    pool_.clear();
    for (auto& [prompt, poll] : polls_) spares_.give(std::move(poll));
    polls_.clear();
    const auto most = within_bounds(static_cast<std::uint32_t>(options_.cap), view.budget);
    Decision decision = ask_each(view, static_cast<std::uint32_t>(options_.first()), pool_);
    // What a hard cap leaves is dealt out now: were it left to who asks first, decisions would
    // depend on the order of completion.
    const std::uint64_t rest = affordable_rollouts(view.budget) - pool_.outstanding();
    const std::uint64_t prompts = pool_.size();
    for (std::uint64_t i = 0; i < prompts; ++i) {
      const Group& group = pool_.groups()[i];
      const std::uint64_t share = rest / prompts + (i < rest % prompts);
      Poll& poll = polls_[group.prompt];
      poll = spares_.take();
      poll.cap = group.requested + static_cast<std::uint32_t>(std::min<std::uint64_t>(
                                       share, most - std::min(most, group.requested)));
    }
    return decision;
  }

  Decision observe(const Events& events) override {
    pool_.add(events.outcomes);
    Decision decision;
    for (const Outcome& outcome : events.outcomes) count(outcome, decision);
    if (events.deadline) decision.generate.clear();
    // At a deadline further outcomes may follow one by one; the driver ends the step after them.
    decision.done = pool_.outstanding() == 0;
    return decision;
  }

  TrainBatch finalize() override {
    Ragged<double> rewards;
    for (const Group& group : pool_.groups()) {
      const auto label = polls_[group.prompt].ballot.leader();
      for (const std::uint32_t i : group.scored()) rewards.push(judged(group[i], label).reward);
      rewards.close();
    }
    const auto advantages = group_advantages(std::move(rewards), rule_);
    TrainBatch batch;  // Norm::PerGroup
    for (std::size_t i = 0; i < pool_.size(); ++i) {
      const Group& group = pool_.groups()[i];
      const std::uint32_t n =
          has_signal(advantages[i]) ? ship_scored(batch, group, advantages[i]) : 0;
      report(batch, group, cause_of(group, polls_[group.prompt].ballot), n);
    }
    metrics_ = poll_metrics(pool_.groups(), polls_, options_.rule());
    return batch;
  }

  std::vector<Metric> metrics() const override { return metrics_.all(); }
  std::string save() const override { return save_state("optpo", 1, *this); }
  void load(std::string_view blob, std::uint64_t) override { load_state("optpo", 1, blob, *this); }

  template <class V>
  void state(V& v) {
    v(pool_);
    v(polls_);
    v(metrics_);
  }

 private:
  ZeroCause cause_of(const Group& group, const Ballot& ballot) const {
    const auto label = ballot.leader();
    if (ballot.classes() > 0 && !label) return ZeroCause::Tie;
    SignalTally tally;
    for (const OwnedOutcome& rollout : group.rollouts) tally.add(judged(rollout.record, label));
    return tally.cause(rule_.resolution);
  }

  void count(const Outcome& outcome, Decision& decision) {
    Poll& poll = polls_[outcome.prompt];
    if (poll.stopped) return;  // a cancelled one
    if (casts_vote(outcome)) poll.ballot.add(outcome.answer_class);
    const Group& group = pool_.group(outcome.prompt);
    const auto n = static_cast<std::uint32_t>(group.rollouts.size());
    const bool enough = n >= static_cast<std::uint32_t>(options_.floor);
    poll.stopped = n >= poll.cap || (enough && poll.ballot.decided(options_.rule()));
    if (poll.stopped && group.requested > n) decision.cancel.push_back(outcome.prompt);
    if (poll.stopped || group.requested > n) return;
    const std::uint32_t more = std::min(static_cast<std::uint32_t>(options_.batch), poll.cap - n);
    decision.generate.push_back({outcome.prompt, more, outcome.round + 1});
    pool_.request(outcome.prompt, more);
  }

  OptpoOptions options_;
  AdvantageRule rule_;
  GroupPool pool_;
  PromptTable<Poll> polls_;
  Spares<Poll> spares_;
  MetricList metrics_;
};

}  // namespace

MethodInfo optpo_method() {
  return {"optpo",
          "without labels: agreement with the majority as reward, sampling until it is clear",
          "OptPO, arXiv 2512.02882", MethodSection(OptpoOptions{}), construct<Optpo>};
}

}  // namespace allot
