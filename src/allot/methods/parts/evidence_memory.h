// What `evidence` remembers of prompts over a run: fading counts, answer lengths, how often each
// was visited, the prior of pass rates and the scale of rewards. (ours)
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>

#include "allot/core/prompt_table.h"
#include "allot/core/types.h"
#include "allot/methods/parts/evidence_value.h"
#include "allot/methods/parts/stated_rates.h"
#include "allot/methods/parts/tally_pool.h"

namespace allot {

// One prompt; 24 bytes.
struct PromptMemory {
  float correct = 0, wrong = 0;  // outcomes of all rounds, fading
  std::uint64_t tokens = 0;      // of all its rollouts so far
  std::uint32_t rollouts = 0;

  double mean_length() const { return rollouts > 0 ? static_cast<double>(tokens) / rollouts : 0; }
  template <class V>
  void state(V& v) {
    v(correct);
    v(wrong);
    v(tokens);
    v(rollouts);
  }
};

class EvidenceMemory {
 public:
  // `prior_strength`: of stated_prior().
  explicit EvidenceMemory(double prior_strength) : stated_(prior_strength) {}

  // Takes note of what the data set says of prompts.
  void show(std::span<const PromptRef> prompts) { stated_.show(prompts); }
  // Each outcome once. Counts are those of all rounds: which further rollouts were asked for
  // depends only on outcomes that are counted, so the likelihood, and with it the posterior, stays
  // right.
  void learn(std::span<const Outcome> outcomes);
  // The counts of a candidate keep the share `kept` of themselves.
  void fade(PromptId prompt, double kept);
  // Closes a step: first blocks of prompts met in it, visits, ranges of rewards.
  void close(std::span<const Tally> step);

  // Of prompts never met before; stays the same within a step.
  BetaBelief prior() const { return first_blocks_.prior(); }
  // Of a prompt with a stated pass rate; `prior` gives its strength where no other is set.
  std::optional<BetaBelief> stated_prior(PromptId prompt, const BetaBelief& prior) const;
  // `prior` and what is counted.
  BetaBelief belief(PromptId prompt, const BetaBelief& prior) const;

  // Mean over the prompts met of their answers' mean length: unlike a mean over rollouts it does
  // not move with what is selected. 0: no tokens are reported.
  double mean_length() const { return met_ > 0 ? length_sum_ / met_ : 0; }
  // In answers of mean length. Where no tokens are reported every rollout has length 1.
  double units(std::uint64_t tokens, std::uint32_t rollouts) const;
  double relative_length(PromptId prompt) const;  // 1 for a prompt not met

  // 1 over the mean squared range of rewards within groups that have a range, those of the open
  // step included: rewards on another scale count as if they were 0 and 1.
  double range_scale(std::span<const Tally> step) const;

  double visits_gini() const { return gini(visits_); }

  template <class V>
  void state(V& v) {
    v(prompts_);
    v(stated_);
    v(first_blocks_);
    v(visits_);
    v(length_sum_);
    v(met_);
    v(squared_ranges_);
    v(ranges_);
  }

 private:
  PromptTable<PromptMemory> prompts_;
  StatedRates stated_;
  FirstBlocks first_blocks_;
  std::map<std::uint32_t, std::uint64_t> visits_;  // rollouts so far -> prompts with so many
  double length_sum_ = 0, met_ = 0;                // of the mean lengths of prompts met
  double squared_ranges_ = 0, ranges_ = 0;         // fading
};

}  // namespace allot
