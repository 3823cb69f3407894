// The math verifier: is an answer equivalent to a reference answer, and where in a response does it
// stand? Manual: docs/verifier.md. Source: verifier specification.
//
//   const Gold gold = prepare("\\frac{1}{2}", options);            // once per prompt
//   const Verdict verdict = verify(gold, response, options);       // any thread
//
// No function here throws, keeps state, or depends on time, locale or environment.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "allot/tasks/math/options.h"
#include "allot/tasks/math/verdict.h"

namespace allot::verify {

struct Verdict {
  VerdictStatus status = VerdictStatus::NoAnswer;
  Tier tier = Tier::T0;     // what decided, if the status is correct or wrong
  std::uint32_t steps = 0;  // of the work budget
  std::string extracted;    // the candidate as it stands in the response
  std::uint32_t flags = 0;  // of Flag

  bool correct() const { return status == VerdictStatus::Correct; }
};

// A reference answer, read. Immutable; may be shared by threads.
class Gold {
 public:
  struct Reading;

  Gold() = default;
  // Correct where the gold can be used; else GoldError, which every verdict on it then is.
  VerdictStatus status() const;
  const std::string& problem() const { return problem_; }  // for people; "" where there is none

 private:
  friend Gold prepare(std::span<const std::string_view>, const MathOptions&);
  friend class Judge;
  std::vector<std::shared_ptr<const Reading>> accepted_;
  std::string problem_ = "the gold is empty";
};

// One gold, or a list of which any may match. A box or #### in a gold is looked for; else all of it
// is the answer.
Gold prepare(std::string_view gold, const MathOptions& options);
Gold prepare(std::span<const std::string_view> golds, const MathOptions& options);

// Finds the answer in a response and compares it.
Verdict verify(const Gold& gold, std::string_view response, const MathOptions& options);
// The string is the answer: nothing is looked for, but marks around it are taken off.
Verdict equivalent(const Gold& gold, std::string_view answer, const MathOptions& options);

}  // namespace allot::verify
