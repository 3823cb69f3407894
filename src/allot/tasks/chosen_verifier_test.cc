#include "allot/tasks/chosen_verifier.h"

#include <gtest/gtest.h>

#include "allot/core/error.h"
#include "allot/tasks/math_verifier.h"
#include "allot/tasks/prompt_set.h"
#include "allot/tasks/scored_verifier.h"

namespace allot {
namespace {

Prompt prompt(PromptId id, std::string answer, std::string verifier) {
  Prompt made;
  made.id = id;
  made.key = std::to_string(id);
  made.text = "?";
  made.answer = std::move(answer);
  made.verifier = std::move(verifier);
  return made;
}

Rollout response(PromptId id, std::string text) {
  Rollout made;
  made.prompt = id;
  made.text = std::move(text);
  return made;
}

TEST(ChosenVerifier, JudgesEachPromptAsItNamesIt) {
  std::vector<Prompt> prompts = {prompt(1, "1/2", ""), prompt(2, "1/2", "math"),
                                 prompt(3, "7", "gsm8k"), prompt(4, "b", "")};
  prompts[3].accepted = {"c"};
  prompts[1].accepted = {"3"};
  const PromptSet set(std::move(prompts), 0);
  ChosenVerifier verifier(std::make_unique<ScoredVerifier>(exact_score), {});
  const std::vector<Rollout> rollouts = {
      response(1, "0.5"),        response(2, "\\boxed{0.5}"),
      response(2, "\\boxed{3}"), response(3, "so #### 7"),
      response(1, "1/2"),        response(4, "c"),
      response(2, "\\boxed{4}"), response(9, "an unknown prompt")};
  const std::vector<Score> scores = verifier.score(rollouts, set);
  ASSERT_EQ(scores.size(), rollouts.size());
  const std::vector<bool> expected = {false, true, true, true, true, true, false, false};
  for (std::size_t i = 0; i < scores.size(); ++i)
    EXPECT_EQ(scores[i].correct, expected[i]) << rollouts[i].text << ": " << scores[i].reason;
  EXPECT_EQ(scores.back().scoring, Scoring::VerifierError);
  // Text is judged without marks, mathematics with those that are named.
  EXPECT_EQ(scores[0].marks, 0u);
  EXPECT_EQ(scores[1].marks,
            MathVerifier({}).score(std::span(rollouts).subspan(1, 1), set)[0].marks);
  EXPECT_NE(scores[1].marks, 0u);
  EXPECT_EQ(verifier.mark_names(), math_mark_names());
}

TEST(ChosenVerifier, KnowsItsPresets) {
  EXPECT_EQ(preset_options("gsm8k", {}).preset, verify::Preset::Gsm8k);
  EXPECT_EQ(preset_options("", {}).preset, verify::Preset::Math);
  EXPECT_THROW(preset_options("meth", {}), Error);
}

}  // namespace
}  // namespace allot
