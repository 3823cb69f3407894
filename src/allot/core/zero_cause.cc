#include "allot/core/zero_cause.h"

#include <algorithm>

namespace allot {

void SignalTally::add(const Outcome& outcome) {
  if (outcome.status != Status::Ok && outcome.status != Status::Truncated) return;
  ++generated_;
  verifier_errors_ += outcome.scoring == Scoring::VerifierError;
  if (outcome.scoring != Scoring::Scored) return;
  smallest_ = scored_ == 0 ? outcome.reward : std::min(smallest_, outcome.reward);
  largest_ = scored_ == 0 ? outcome.reward : std::max(largest_, outcome.reward);
  ++scored_;
  correct_ += outcome.correct;
  truncated_ += outcome.status == Status::Truncated;
  parsed_ += outcome.parsed;
}

ZeroCause SignalTally::cause(double resolution, SingletonBaseline singletons) const {
  if (generated_ == 0) return ZeroCause::GenerationFailed;
  if (verifier_errors_ == generated_) return ZeroCause::VerifierError;
  if (scored_ == 0) return ZeroCause::Unscorable;
  if (scored_ == 1)
    return singletons == SingletonBaseline::None ? ZeroCause::Single : ZeroCause::None;

  const bool equal = largest_ == smallest_;
  if (equal && correct_ == 0 && truncated_ == scored_) return ZeroCause::Truncated;
  if (equal && parsed_ == 0) return ZeroCause::NoAnswer;
  const double spread = static_cast<double>(largest_) - static_cast<double>(smallest_);
  if (spread > resolution) return ZeroCause::None;
  if (correct_ == scored_) return ZeroCause::AllRight;
  if (correct_ == 0) return ZeroCause::AllWrong;
  return ZeroCause::Tie;
}

ZeroCause zero_cause(std::span<const Outcome> outcomes, double resolution,
                     SingletonBaseline singletons) {
  SignalTally tally;
  for (const Outcome& outcome : outcomes) tally.add(outcome);
  return tally.cause(resolution, singletons);
}

}  // namespace allot
