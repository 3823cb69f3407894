// The rollouts of an open step and their tallies per prompt, in storage that is kept from step to
// step: a step no larger than an earlier one allocates nothing per rollout.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "allot/core/prompt_table.h"
#include "allot/core/types.h"

namespace allot {

// One prompt of the step. Scored: generated, and with a finite reward.
struct Tally {
  PromptId prompt = 0;
  std::uint32_t requested = 0;                        // rollouts asked for in this step
  std::uint32_t scored = 0, correct = 0;              // that have ended
  std::uint32_t first_scored = 0, first_correct = 0;  // of the first request
  std::uint32_t generated = 0;                        // ended with an answer, scored or not
  std::uint64_t tokens = 0;                           // of all that ended
  std::uint64_t scored_tokens = 0;
  double reward_sum = 0, reward_squares = 0, reward_low = 0, reward_high = 0;
  std::uint32_t at_low = 0, at_high = 0;  // scored ones with just these rewards

  double mean_reward() const { return scored > 0 ? reward_sum / scored : 0; }
  double range() const { return scored > 0 ? reward_high - reward_low : 0; }
  bool has_two_rewards() const { return range() > 0 && at_low + at_high == scored; }
  // sum of (r - mean)^2; m (N - m) / N of rewards 0 and 1.
  double squared_deviations() const;

  template <class V>
  void state(V& v) {
    v(prompt);
    v(requested);
    v(scored);
    v(correct);
    v(first_scored);
    v(first_correct);
    v(generated);
    v(tokens);
    v(scored_tokens);
    v(reward_sum);
    v(reward_squares);
    v(reward_low);
    v(reward_high);
    v(at_low);
    v(at_high);
  }
};

// A scored rollout.
struct TalliedRollout {
  RolloutId id = 0;
  std::uint32_t tally = 0;  // position in tallies()
  float reward = 0;

  template <class V>
  void state(V& v) {
    v(id);
    v(tally);
    v(reward);
  }
};

class TallyPool {
 public:
  void clear();
  // Notes a request for `n` more rollouts; the first one plans the prompt.
  void request(PromptId prompt, std::uint32_t n);
  // Throws Error(Internal) for a prompt that was not requested.
  void add(std::span<const Outcome> outcomes);

  std::span<const Tally> tallies() const { return tallies_; }  // in the order of planning
  std::uint64_t outstanding() const { return outstanding_; }   // requested and not ended

  // Scored rollouts, those of one tally together and in issue order; first[i] .. first[i + 1] are
  // those of tally i.
  struct Sorted {
    std::span<const TalliedRollout> rollouts;
    std::span<const std::uint32_t> first;
  };
  Sorted sorted();  // lives until the next call that changes the pool

  template <class V>
  void state(V& v) {
    v(tallies_);
    v(rollouts_);
    v(outstanding_);
    if constexpr (V::kReading) rebuild();
  }

 private:
  void rebuild();

  std::vector<Tally> tallies_;
  std::vector<TalliedRollout> rollouts_, by_tally_;
  std::vector<std::uint32_t> first_;
  PromptTable<std::uint32_t> index_;
  std::uint64_t outstanding_ = 0;
};

}  // namespace allot
