// Notices early that hardly any response holds an answer: the classic silent failure, in which a
// template, a gate or a stop token is wrong and every reward is 0. Source: verifier specification,
// section 13.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "allot/loop/recorder.h"

namespace allot {

class MissingAnswers {
 public:
  // Looks at the first `steps` steps that it is shown; 0: at none.
  explicit MissingAnswers(int steps) : left_(steps) {}

  // Once, from the fifth step on (or the last of fewer), where more than nine in ten of all scored
  // responses so far had no answer: an event of code "no_answers" with the ends of three of them.
  std::optional<Event> step(const StepRecord& record);

 private:
  int left_;
  int seen_ = 0;
  std::uint64_t scored_ = 0, missing_ = 0, truncated_ = 0;  // the last two of those scored
};

}  // namespace allot
