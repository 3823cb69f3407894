// Why a group carries no reward signal. Source: contract, section 6.
#pragma once

#include <span>

#include "allot/core/types.h"

namespace allot {

// What a method's estimator does with a group of one scored outcome.
enum class SingletonBaseline : std::uint8_t {
  None,   // there is nothing to compare it with: ZeroCause::Single
  Exists  // a belief or a constant serves as baseline: the outcome carries signal
};

// The first matching row of the table wins; ZeroCause::None means that the group carries signal.
// Failed and cancelled outcomes count only in that a group of nothing else is GenerationFailed.
//
//   GenerationFailed  no outcome with status Ok or Truncated (also: no outcome at all)
//   VerifierError     all of those ended in Scoring::VerifierError
//   Unscorable        none of those is scored, for mixed reasons or because nothing was scorable
//   Single            one scored outcome and no baseline for singletons
//   Truncated         all rewards equal, none correct, all truncated
//   NoAnswer          all rewards equal, none parsed
//   AllRight/AllWrong largest - smallest reward <= resolution, all correct / none correct
//   Tie               largest - smallest reward <= resolution otherwise
//
// With a baseline for singletons one scored outcome is never without signal.
ZeroCause zero_cause(std::span<const Outcome> outcomes, double resolution,
                     SingletonBaseline singletons = SingletonBaseline::None);

// The same, outcome by outcome.
class SignalTally {
 public:
  void add(const Outcome& outcome);
  ZeroCause cause(double resolution, SingletonBaseline singletons = SingletonBaseline::None) const;

 private:
  std::uint32_t generated_ = 0, scored_ = 0, verifier_errors_ = 0;
  std::uint32_t correct_ = 0, truncated_ = 0, parsed_ = 0;  // of the scored ones
  float smallest_ = 0, largest_ = 0;                        // reward of the scored ones
};

}  // namespace allot
