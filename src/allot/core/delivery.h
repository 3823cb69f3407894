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
#pragma once

#include <cstdint>
#include <map>
#include <set>
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
  std::vector<Outcome> outcomes;
};

class Delivery {
 public:
  Delivery() = default;
  // `max_tokens`: what a cancelled rollout counts as; 0 = unknown, then what the host reported.
  // `policy`: the version a cancelled rollout is ascribed to.
  Delivery(Grain grain, Version policy, std::uint32_t max_tokens, RolloutId first);

  // Numbers a request and waits for its outcomes from now on.
  Issued issue(const GenRequest& request);
  std::uint32_t requests_of(PromptId prompt) const;  // so far; 0 for an unknown prompt

  // Takes reports, all or none: throws Error(Internal) for an unknown or repeated id, another
  // prompt than was asked for, more tokens than max_tokens, and values that are not finite.
  void report(std::span<const Outcome> outcomes);

  // Withdraws what was not handed out yet and returns its ids, ascending, also those of rollouts
  // that were reported meanwhile. The others still have to be reported.
  std::vector<RolloutId> cancel(PromptId prompt);

  // Nothing more is waited for: what was not reported by now counts as cancelled.
  void abandon();

  // The next batch of the grain; empty if none is complete. Spans in it live until issue().
  std::vector<Outcome> next();

  bool knows(RolloutId id) const { return id >= first_ && id < next_id(); }
  RolloutId next_id() const { return first_ + slots_.size(); }
  std::vector<RolloutId> unreported() const;  // ascending

  // nullptr unless it was handed out. Lives until issue().
  const OwnedOutcome* delivered(RolloutId id) const;
  // What became of every prompt with at least one request, in id order.
  std::vector<PlannedPrompt> planned() const;

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
    v(prompts_);
    v(frontier_);
    v(request_);
    v(abandoned_);
    if constexpr (V::kReading) rebuild();
  }

 private:
  struct Slot {
    OwnedOutcome outcome;  // id, prompt, tag, seq and round are set at issue
    bool reported = false, cancelled = false, delivered = false;
    template <class V>
    void state(V& v) {
      v(outcome);
      v(reported);
      v(cancelled);
      v(delivered);
    }
  };
  struct Progress {
    std::uint32_t requests = 0, delivered = 0;
    std::vector<std::uint64_t> slots;                   // in issue order
    std::map<std::int64_t, std::int64_t> answer_class;  // as reported -> 0, 1, 2, ...
    template <class V>
    void state(V& v) {
      v(requests);
      v(delivered);
      v(slots);
      v(answer_class);
    }
  };

  bool arrived(const Slot& slot) const { return slot.reported || abandoned_; }
  void check(const Outcome& outcome) const;
  void wake(const Progress& progress);
  std::vector<std::uint64_t> ready() const;
  Outcome hand_out(std::uint64_t index);
  void rebuild();

  Grain grain_ = Grain::Round;
  Version policy_ = 0;
  std::uint32_t max_tokens_ = 0;
  RolloutId first_ = 1;
  std::vector<std::uint32_t> request_sizes_;
  std::vector<Slot> slots_;  // by id - first_
  PromptTable<Progress> prompts_;
  std::uint64_t frontier_ = 0;  // Round, Request: slots before it were handed out
  std::uint64_t request_ = 0;   // Request: index of the request that starts at frontier_
  bool abandoned_ = false;

  // Derived from the above.
  std::uint64_t waiting_ = 0;      // slots that have not arrived
  std::set<std::uint64_t> heads_;  // Rollout: slots that have arrived and are their prompt's next
};

}  // namespace allot
