#include "allot/tasks/math_verifier.h"

#include <gtest/gtest.h>

#include "allot/tasks/prompt_set.h"

namespace allot {
namespace {

Rollout said(PromptId prompt, std::string text) {
  Rollout rollout;
  rollout.prompt = prompt;
  rollout.text = std::move(text);
  return rollout;
}

TEST(MathVerifier, TurnsVerdictsIntoScores) {
  Prompt half, bad;
  half.id = 1;
  half.text = half.key = "half";
  half.answer = "\\frac{1}{2}";
  bad.id = 2;
  bad.text = bad.key = "bad";
  bad.answer = "\\frac{1}{";
  const PromptSet prompts({half, bad}, 0);
  MathVerifier verifier{{}};
  std::vector<Rollout> rollouts = {said(1, "\\boxed{0.5}"),
                                   said(1, "\\boxed{0.6}"),
                                   said(1, "I do not know, and I will not guess. Sorry for that!!"),
                                   said(1, "\\boxed{\\frac{}"),
                                   said(2, "\\boxed{1}"),
                                   said(3, "\\boxed{1}"),
                                   said(1, "0.5")};
  rollouts.back().status = Status::Cancelled;
  rollouts[3].text = "\\boxed{\\frac{1}{2}{3}^}";
  const std::vector<Score> scores = verifier.score(rollouts, prompts);
  ASSERT_EQ(scores.size(), rollouts.size());
  EXPECT_EQ(scores[0].reward, 1);
  EXPECT_TRUE(scores[0].correct && scores[0].parsed);
  EXPECT_EQ(scores[0].answer, "0.5");
  EXPECT_EQ(scores[0].reason, "correct: T1");
  EXPECT_EQ(scores[1].reward, 0);
  EXPECT_TRUE(!scores[1].correct && scores[1].parsed);
  EXPECT_TRUE(scores[1].reason.starts_with("wrong"));
  EXPECT_TRUE(scores[2].reason.starts_with("no_answer") && !scores[2].parsed);
  EXPECT_EQ(scores[2].scoring, Scoring::Scored);
  EXPECT_TRUE(scores[3].reason.starts_with("unparseable") && !scores[3].parsed);
  EXPECT_EQ(scores[4].scoring, Scoring::NotScorable);
  EXPECT_TRUE(scores[4].reason.starts_with("gold_error"));
  EXPECT_EQ(scores[5].scoring, Scoring::VerifierError);
  EXPECT_EQ(scores[6].scoring, Scoring::NotScorable);
}

}  // namespace
}  // namespace allot
