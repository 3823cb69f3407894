// The rollouts of one step: numbers them, takes their outcomes in any order and hands them out in
// issue order, at the grain the method asked for. Source: contract, section 3, rules 1 to 3.
//
//   Grain::Round    everything outstanding, once all of it has been reported
//   Grain::Request  one request at a time, in the order of the requests: a later one that is
//                   complete waits for the earlier ones
//   Grain::Rollout  one outcome at a time; issue order within a prompt, any order across prompts
//
// What a method sees, and when, is a function of what it asked for and of the outcomes. A rollout
// that was cancelled is handed out as Cancelled even if it had finished meanwhile.
//
// One array holds the rollouts of the step; those of a prompt are chained through it by index,
// which ascends in issue order. With its memory kept from step to step no rollout takes any from
// the heap.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "allot/core/controller.h"
#include "allot/core/prompt_table.h"
#include "allot/core/types.h"

namespace allot {

// An Outcome that owns its parts.
struct OwnedOutcome {
  Outcome record;  // its parts are empty; view() sets them
  std::vector<float> parts;

  Outcome view() const {
    Outcome outcome = record;
    outcome.parts = parts;
    return outcome;
  }
  template <class V>
  void state(V& v) {
    v(record.id);
    v(record.prompt);
    v(record.tag);
    v(record.seq);
    v(record.round);
    v(record.behaviour);
    v(record.status);
    v(record.scoring);
    v(record.reward);
    v(record.correct);
    v(record.parsed);
    v(record.tokens);
    v(record.answer_class);
    v(record.mean_logprob);
    v(record.mean_entropy);
    v(parts);
  }
};

// One prompt of a step: what was asked for and what was handed out, in issue order.
struct PlannedPrompt {
  PromptId prompt = 0;
  std::uint32_t requests = 0, issued = 0;
  std::span<const Outcome> outcomes;
};
// Of `planned`, which is in id order; nullptr for another prompt.
const PlannedPrompt* find_planned(std::span<const PlannedPrompt> planned, PromptId prompt);

// Every prompt of a step with at least one request, in id order. Moves only: its prompts point into
// its outcomes.
struct PlannedStep {
  std::vector<Outcome> outcomes;
  std::vector<PlannedPrompt> prompts;

  PlannedStep() = default;
  PlannedStep(PlannedStep&&) noexcept = default;
  PlannedStep& operator=(PlannedStep&&) noexcept = default;
};

class Delivery {
 public:
  Delivery() = default;
  Delivery(Grain grain, Version policy, std::uint32_t max_tokens, RolloutId first);

  // Starts a step, with none of the rollouts of the one before.
  // `max_tokens`: what a cancelled rollout counts as; 0 = unknown, then what the host reported.
  // `policy`: the version a cancelled rollout is ascribed to.
  void open(Grain grain, Version policy, std::uint32_t max_tokens, RolloutId first);

  // Forgets the rollouts and keeps the memory they took.
  void clear();

  // Numbers a request and waits for its outcomes from now on.
  Issued issue(const GenRequest& request);
  std::uint32_t requests_of(PromptId prompt) const;  // so far; 0 for an unknown prompt

  // Takes reports, all or none: throws Error(Internal) for an unknown or repeated id, another
  // prompt than was asked for, more tokens than max_tokens, and values that are not finite.
  void report(std::span<const Outcome> outcomes);

  // Withdraws what was not handed out yet and appends its ids, ascending, also those of rollouts
  // that were reported meanwhile. The others still have to be reported.
  void cancel(PromptId prompt, std::vector<RolloutId>& ids);

  // Nothing more is waited for: what was not reported by now counts as cancelled.
  void abandon();

  // The next batch of the grain; empty if none is complete. Lives until next() is called again, the
  // spans in it until issue() or clear().
  std::span<const Outcome> next();

  bool knows(RolloutId id) const { return id >= first_ && id < next_id(); }
  RolloutId next_id() const { return first_ + slots_.size(); }
  std::vector<RolloutId> unreported() const;  // ascending

  // nullptr unless it was handed out. Lives until issue().
  const OwnedOutcome* delivered(RolloutId id) const;
  // What became of every prompt. The spans in its outcomes live until issue() or clear().
  PlannedStep planned() const;

  // Rollouts that were never handed out, and the tokens they are charged.
  struct Withheld {
    std::uint64_t rollouts = 0, tokens = 0;
  };
  Withheld withheld() const;

  template <class V>
  void state(V& v) {
    v(grain_);
    v(policy_);
    v(max_tokens_);
    v(first_);
    v(request_sizes_);
    v(slots_);
    v(frontier_);
    v(request_);
    v(abandoned_);
    if constexpr (V::kReading) rebuild();
  }

 private:
  static constexpr std::uint64_t kNone = ~std::uint64_t{0};

  struct Slot {
    OwnedOutcome outcome;      // id, prompt, tag, seq and round are set at issue
    std::int64_t answer = -1;  // once delivered: its answer class as it was reported
    bool reported = false, cancelled = false, delivered = false;
    std::uint64_t next = kNone;  // slot of the prompt's next rollout
    std::uint64_t call = 0;      // the report() that named it last; tells a repetition within one
    template <class V>
    void state(V& v) {  // without what rebuild() derives
      v(outcome);
      v(answer);
      v(reported);
      v(cancelled);
      v(delivered);
    }
  };
  struct Progress {
    std::uint32_t requests = 0, issued = 0;
    std::uint64_t first = kNone, last = kNone;  // slots: the ends of the chain
    std::uint64_t head = kNone;                 // the first one that was not handed out
  };

  bool arrived(const Slot& slot) const { return slot.reported || abandoned_; }
  void check(const Outcome& outcome) const;
  void append(Progress& progress, std::uint64_t index);
  void wake(std::uint64_t head);
  void wake_all();
  std::uint64_t ready();
  void hand_out(std::uint64_t index);
  std::int64_t number_answer(const Progress& progress, std::int64_t answer) const;
  void rebuild();

  Grain grain_ = Grain::Round;
  Version policy_ = 0;
  std::uint32_t max_tokens_ = 0;
  RolloutId first_ = 1;
  std::vector<std::uint32_t> request_sizes_;
  std::vector<Slot> slots_;     // by id - first_
  std::uint64_t frontier_ = 0;  // Round, Request: slots before it were handed out
  std::uint64_t request_ = 0;   // Request: index of the request that starts at frontier_
  bool abandoned_ = false;

  // Derived from the above.
  PromptTable<Progress> prompts_;
  std::uint64_t arrived_ = 0;         // Round, Request: slots before it have arrived
  std::vector<std::uint64_t> heads_;  // Rollout: heads that have arrived; a heap, lowest first
  std::uint64_t call_ = 0;            // of report()
  std::vector<Outcome> batch_;        // what next() returned last
};

}  // namespace allot
