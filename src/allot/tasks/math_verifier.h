// The math verifier as the training loop's Verifier: responses are compared with Prompt::answer.
//
// | verdict | score |
// |---|---|
// | correct, wrong | Scored, reward 1 or 0 |
// | no_answer, unparseable, limit | Scored, reward 0, parsed = false |
// | gold_error | NotScorable |
// | fault | VerifierError |
//
// Score::reason begins with the verdict's name. Manual: docs/verifier.md.
//
// Marks: the statuses that are not counted anyhow (unparseable, limit, gold_error, fault), the tier
// of what was correct or wrong (tier/0 .. tier/5), and the flags (flag/conflict, ..).
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "allot/loop/verifier.h"
#include "allot/tasks/math/options.h"
#include "allot/tasks/math/verify.h"

namespace allot {

// Of the marks of score_of().
std::vector<std::string> math_mark_names();

// For a training run: once per process it is made sure that this build judges known pairs right.
// Throws Error(Internal) where it does not.
std::unique_ptr<Verifier> tested_math_verifier(verify::MathOptions options);

// Thread-safe. Reads the reference answer once for rollouts of one prompt that follow each other.
class MathVerifier final : public Verifier {
 public:
  explicit MathVerifier(verify::MathOptions options) : options_(std::move(options)) {}

  std::vector<Score> score(std::span<const Rollout> rollouts, const PromptSource& prompts) override;
  std::vector<std::string> mark_names() const override { return math_mark_names(); }

 private:
  verify::MathOptions options_;
};

// The reference answers of a prompt, of which any may match.
verify::Gold prepare_gold(const Prompt& prompt, const verify::MathOptions& options);

// Of one verdict.
Score score_of(const verify::Verdict& verdict, const verify::Gold& gold);

}  // namespace allot
