#include "allot/methods/parts/majority.h"

namespace allot {

bool casts_vote(const Outcome& outcome) { return is_scored(outcome) && outcome.answer_class >= 0; }

Outcome judged(const Outcome& outcome, std::optional<std::int64_t> label) {
  Outcome out = outcome;
  out.parsed = casts_vote(outcome);
  out.correct = label && out.parsed && outcome.answer_class == *label;
  out.reward = out.correct ? 1 : 0;
  return out;
}

MetricList poll_metrics(const std::vector<Group>& groups, const PromptTable<Poll>& polls,
                        const VoteRule& rule) {
  double taken = 0, cancelled = 0, lead = 0, capped = 0, changes = 0, classes = 0;
  double labels = 0, agreeing = 0;
  for (const Group& group : groups) {
    const Poll& poll = *polls.find(group.prompt);
    const auto label = poll.ballot.leader();
    bool agrees = false;
    for (const OwnedOutcome& rollout : group.rollouts) {
      const Outcome& outcome = rollout.record;
      ++(outcome.status == Status::Cancelled ? cancelled : taken);
      agrees |= label && outcome.correct && outcome.answer_class == *label;
    }
    lead += poll.ballot.lead();
    capped += poll.stopped && !poll.ballot.decided(rule);
    changes += poll.ballot.changes();
    classes += poll.ballot.classes();
    labels += label.has_value();
    agreeing += agrees;
  }
  MetricList metrics;
  metrics.set_share("rollouts_to_stop", taken, groups.size());
  metrics.set_share("cancelled", cancelled, groups.size());
  metrics.set_share("lead", lead, groups.size());
  metrics.set_share("capped_share", capped, groups.size());
  metrics.set_share("label_changes", changes, groups.size());
  metrics.set_share("classes", classes, groups.size());
  metrics.set_share("agreement_with_gold", agreeing, labels);
  return metrics;
}

}  // namespace allot
