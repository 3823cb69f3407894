#include "allot/core/zero_cause.h"

#include <algorithm>

namespace allot {
namespace {

// Counts over the outcomes that generation really produced.
struct Tally {
  std::size_t generated = 0, scored = 0, verifier_errors = 0;
  std::size_t correct = 0, truncated = 0, parsed = 0;  // of the scored ones
  float smallest = 0, largest = 0;                     // reward of the scored ones

  void add(const Outcome& outcome) {
    if (outcome.status != Status::Ok && outcome.status != Status::Truncated) return;
    ++generated;
    verifier_errors += outcome.scoring == Scoring::VerifierError;
    if (outcome.scoring != Scoring::Scored) return;
    smallest = scored == 0 ? outcome.reward : std::min(smallest, outcome.reward);
    largest = scored == 0 ? outcome.reward : std::max(largest, outcome.reward);
    ++scored;
    correct += outcome.correct;
    truncated += outcome.status == Status::Truncated;
    parsed += outcome.parsed;
  }
};

}  // namespace

ZeroCause zero_cause(std::span<const Outcome> outcomes, double resolution,
                     SingletonBaseline singletons) {
  Tally t;
  for (const Outcome& outcome : outcomes) t.add(outcome);
  if (t.generated == 0) return ZeroCause::GenerationFailed;
  if (t.verifier_errors == t.generated) return ZeroCause::VerifierError;
  if (t.scored == 0) return ZeroCause::Unscorable;
  if (t.scored == 1)
    return singletons == SingletonBaseline::None ? ZeroCause::Single : ZeroCause::None;

  const bool equal = t.largest == t.smallest;
  if (equal && t.correct == 0 && t.truncated == t.scored) return ZeroCause::Truncated;
  if (equal && t.parsed == 0) return ZeroCause::NoAnswer;
  const double spread = static_cast<double>(t.largest) - static_cast<double>(t.smallest);
  if (spread > resolution) return ZeroCause::None;
  if (t.correct == t.scored) return ZeroCause::AllRight;
  if (t.correct == 0) return ZeroCause::AllWrong;
  return ZeroCause::Tie;
}

}  // namespace allot
