#include "allot/tasks/scored_verifier.h"

#include <limits>
#include <stdexcept>

#include <gtest/gtest.h>

#include "allot/tasks/prompt_set.h"

namespace allot {
namespace {

constexpr float kEndless = std::numeric_limits<float>::infinity();
constexpr float kNoNumber = std::numeric_limits<float>::quiet_NaN();

PromptSet one_prompt() {
  Prompt prompt;
  prompt.id = 7;
  prompt.key = "seven";
  prompt.text = "3+4=>";
  prompt.answer = "7";
  return PromptSet({prompt}, 0);
}

Rollout rollout(std::string text, Status status = Status::Ok, PromptId prompt = 7) {
  Rollout rollout;
  rollout.prompt = prompt;
  rollout.text = std::move(text);
  rollout.status = status;
  return rollout;
}

// What the response says is what the scoring function does.
Score obedient(const Prompt&, std::string_view response) {
  if (response == "throw") throw std::runtime_error("the parser gave up");
  if (response == "throw int") throw 3;
  Score score;
  score.answer = std::string(response);
  if (response == "nan") score.reward = kNoNumber;
  if (response == "inf") score.reward = kEndless;
  if (response == "-inf") score.reward = -kEndless;
  if (response == "half") score.reward = 0.5f;
  if (response == "0.7") score.reward = 0.7f;
  if (response == "part nan") score.parts = {1, kNoNumber};
  if (response == "part inf") score.parts = {1, kEndless};
  if (response == "none") score.scoring = Scoring::NotScorable;
  return score;
}

Score obedient_score(std::string response) {
  PromptSet prompts = one_prompt();
  ScoredVerifier verifier(obedient);
  const std::vector<Rollout> rollouts = {rollout(std::move(response))};
  const std::vector<Score> scores = verifier.score(rollouts, prompts);
  EXPECT_EQ(scores.size(), 1u);
  return scores.at(0);
}

TEST(ScoredVerifier, ExceptionsBecomeVerifierErrorsWithTheirText) {
  const Score score = obedient_score("throw");
  EXPECT_EQ(score.scoring, Scoring::VerifierError);
  EXPECT_EQ(score.reason, "the parser gave up");
  EXPECT_FALSE(score.correct);
  EXPECT_EQ(obedient_score("throw int").scoring, Scoring::VerifierError);
}

TEST(ScoredVerifier, NaNAndNoneAreNotScorable) {
  for (const char* response : {"nan", "none"}) {
    const Score score = obedient_score(response);
    EXPECT_EQ(score.scoring, Scoring::NotScorable) << response;
    EXPECT_EQ(score.reward, 0) << response;
    EXPECT_FALSE(score.correct) << response;
  }
}

TEST(ScoredVerifier, InfinityIsAMistakeAndNaNPartsAreNot) {
  for (const char* response : {"inf", "-inf", "part inf"})
    EXPECT_THROW(obedient_score(response), RewardMistake) << response;
  EXPECT_EQ(obedient_score("part nan").scoring, Scoring::Scored);
}

TEST(ScoredVerifier, CorrectMeansAboveTheThreshold) {
  EXPECT_FALSE(obedient_score("half").correct);
  EXPECT_TRUE(obedient_score("0.7").correct);
  const Prompt prompt;
  EXPECT_FALSE(ScoredVerifier(obedient, 0.9).score_one(prompt, "0.7").correct);
}

TEST(ScoredVerifier, OneScorePerRolloutInOrderWhateverHappens) {
  PromptSet prompts = one_prompt();
  ScoredVerifier verifier(exact_score);
  const std::vector<Rollout> rollouts = {
      rollout("7"),
      rollout("8"),
      rollout("7", Status::Truncated),
      rollout("", Status::Truncated),
      rollout("7", Status::Failed),
      rollout("7", Status::Cancelled),
      rollout("7", Status::Ok, 8),
  };
  const std::vector<Score> scores = verifier.score(rollouts, prompts);
  ASSERT_EQ(scores.size(), rollouts.size());
  EXPECT_TRUE(scores[0].correct);
  EXPECT_FALSE(scores[1].correct);
  EXPECT_TRUE(scores[1].parsed);
  EXPECT_TRUE(scores[2].correct);  // truncated responses are judged by their text
  EXPECT_EQ(scores[3].scoring, Scoring::Scored);
  EXPECT_EQ(scores[3].reward, 0);
  EXPECT_FALSE(scores[3].parsed);
  EXPECT_EQ(scores[4].scoring, Scoring::NotScorable);
  EXPECT_EQ(scores[5].scoring, Scoring::NotScorable);
  EXPECT_EQ(scores[6].scoring, Scoring::VerifierError);  // there is no prompt 8
  EXPECT_TRUE(verifier.score({}, prompts).empty());
}

TEST(ExactScore, ComparesTrimmedText) {
  Prompt prompt;
  prompt.answer = " a b\n";
  EXPECT_EQ(exact_score(prompt, "\ta b ").reward, 1);
  EXPECT_EQ(exact_score(prompt, "\ta b ").answer, "a b");
  EXPECT_EQ(exact_score(prompt, "ab").reward, 0);
  EXPECT_EQ(exact_score(prompt, "A b").reward, 0);
  EXPECT_FALSE(exact_score(prompt, " \r\n").parsed);
}

TEST(ExactScore, AnEmptyReferenceIsNeverAReward) {
  const Score score = ScoredVerifier(exact_score).score_one(Prompt{}, "");
  EXPECT_EQ(score.scoring, Scoring::VerifierError);
}

TEST(Trimmed, RemovesWhiteSpaceAtBothEnds) {
  EXPECT_EQ(trimmed(""), "");
  EXPECT_EQ(trimmed(" \t\r\n\v\f"), "");
  EXPECT_EQ(trimmed(" a b\r\n"), "a b");
}

}  // namespace
}  // namespace allot
