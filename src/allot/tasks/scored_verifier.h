// A Verifier made of a function that scores one response. Source: contract, section 4, and
// conventions, section 7.
//
// | the function                   | the score                                              |
// |---|---|
// | returns a finite reward        | Scored; correct = reward > success_threshold           |
// | returns NaN                    | NotScorable                                            |
// | returns an infinite reward     | RewardMistake: it ends the run                         |
// | returns an infinite part       | the same (a NaN part is legal: not scorable)           |
// | throws                         | VerifierError with the exception's text as its reason  |
//
// A truncated response is judged by its text like any other; Rollout::status carries the flag. A
// rollout that failed or was cancelled is NotScorable and the function is not called.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "allot/loop/verifier.h"

namespace allot {

// Judges one decoded response. It sets reward, parsed, answer and reason, parts if it has any;
// `correct` is derived. Must be callable from several threads at once.
using ScoreResponse = std::function<Score(const Prompt& prompt, std::string_view response)>;

// Thread-safe if the function is.
class ScoredVerifier final : public Verifier {
 public:
  explicit ScoredVerifier(ScoreResponse score_response, double success_threshold = 0.5);

  // An unknown prompt id is a VerifierError of that rollout, too.
  std::vector<Score> score(std::span<const Rollout> rollouts, const PromptSource& prompts) override;

  Score score_one(const Prompt& prompt, std::string_view response) const;

 private:
  ScoreResponse score_response_;
  double success_threshold_;
};

// The three verdicts of a task with exact answers. Reward 1 or 0.
Score right(std::string answer);
Score wrong(std::string answer, std::string reason);
Score no_answer(std::string reason);  // parsed = false

// `exact`: the response equals a reference answer after white space is removed from both ends of
// each. An empty response is no answer; an empty reference throws, so it is never a free reward.
Score exact_score(const Prompt& prompt, std::string_view response);

// `text` without spaces, tabs and line ends at both ends.
std::string_view trimmed(std::string_view text);

}  // namespace allot
