// The math verifier alone: `allot verify`.
//
// Input of a file, JSONL: {"gold": "0.5", "pred": "so \\boxed{\\frac12}", "kind": "response"}
//   gold   text, a number, or a list of accepted answers
//   pred   text or a number
//   kind   "response" (default: the answer is looked for) or "answer" (pred is the answer)
//   Further keys are ignored. Empty lines are skipped.
// Output, one line per pair: {"correct": true, "status": "correct", "tier": "T1", "answer":
// "\\frac12", "flags": []}
//   tier    what decided; null unless the status is correct or wrong
//   answer  what was read as the answer; "" if none
//   flags   names of what was accepted on the way, e.g. "lenient_K1"
//   problem what is wrong with the reference answer, only where something is
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "allot/core/options.h"
#include "allot/tasks/math/verify.h"

namespace allot {

struct VerifyOptions {
  verify::MathOptions verifier;

  template <class V>
  void fields(V& v) {
    v("verifier", verifier);
  }
};

struct VerifiedAnswer {
  verify::Verdict verdict;
  std::string problem;  // of the gold

  std::string json() const;
  std::string text() const;  // for people: status, tier, flags, answer
};

VerifiedAnswer verify_pair(const std::vector<std::string>& golds, std::string_view pred,
                           std::string_view kind, const VerifyOptions& options);

// The output lines. `where` names the input in errors. Throws Error(Data) for a broken line.
std::vector<std::string> verify_lines(std::string_view text, std::string_view where,
                                      const VerifyOptions& options);

}  // namespace allot
