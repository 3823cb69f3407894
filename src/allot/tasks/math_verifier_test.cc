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

// Names of the marks of a score, in the order of math_mark_names().
std::string marks_of(const Score& score) {
  std::string all;
  const std::vector<std::string> names = math_mark_names();
  for (std::size_t i = 0; i < names.size(); ++i)
    if ((score.marks >> i & 1U) != 0) all += names[i] + " ";
  return all;
}

TEST(MathVerifier, MarksStatusTierAndFlags) {
  const auto judged = [](std::string gold, std::string response) {
    Prompt prompt;
    prompt.id = 1;
    prompt.answer = std::move(gold);
    const PromptSet prompts({prompt}, 0);
    const std::vector<Rollout> rollouts = {said(1, std::move(response))};
    return MathVerifier{{}}.score(rollouts, prompts)[0];
  };
  EXPECT_EQ(marks_of(judged("7", "\\boxed{7}")), "tier/0 ");
  EXPECT_EQ(marks_of(judged("\\frac{1}{2}", "\\boxed{0.6}")), "tier/1 ");
  EXPECT_EQ(marks_of(judged("35\\%", "\\boxed{0.35}")), "tier/1 flag/lenient_K1 ");
  EXPECT_EQ(marks_of(judged("7", "\\boxed{6}, no, rather\n\n\\boxed{7}")), "tier/0 flag/conflict ");
  EXPECT_EQ(marks_of(judged("7", "I do not know, and I will not guess. Sorry for that!!")), "");
  EXPECT_EQ(marks_of(judged("7", "\\boxed{\\frac{1}{2}{3}^}")), "unparseable ");
  EXPECT_EQ(marks_of(judged("\\frac{1}{", "\\boxed{1}")), "gold_error ");
  EXPECT_TRUE(judged("7", "\\boxed{7}").steps.has_value());
  EXPECT_GT(*judged("x^2-1", "\\boxed{(x-1)(x+1)}").steps, *judged("7", "\\boxed{7}").steps);
  EXPECT_FALSE(judged("\\frac{1}{", "\\boxed{1}").steps.has_value()) << "there was no verdict";
}

}  // namespace
}  // namespace allot
