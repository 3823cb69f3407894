// What a reward function may do, one test each: none, NaN, infinity, a short list, an exception, a
// call that never ends. Source: conventions, sections 7 and 13 (A8).
#include "allot/tasks/rewards/reward_verifier.h"

#include <cmath>
#include <future>
#include <limits>
#include <stdexcept>

#include <gtest/gtest.h>

#include "allot/tasks/math_verifier.h"
#include "allot/tasks/prompt_set.h"
#include "allot/tasks/scored_verifier.h"

namespace allot {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

PromptSet two_prompts() {
  Prompt one, two;
  one.id = 1, one.key = "one", one.answer = "1";
  two.id = 2, two.key = "two", two.answer = "2";
  return PromptSet({one, two}, 0);
}

// Four responses, the right one first.
std::vector<Rollout> responses() {
  std::vector<Rollout> all;
  for (const char* text : {"1", "2", "3", "1"}) {
    Rollout rollout;
    rollout.id = all.size();
    rollout.prompt = all.size() < 2 ? 1 : 2;
    rollout.text = text;
    rollout.tokens.assign(all.size() + 1, 5);
    all.push_back(std::move(rollout));
  }
  return all;
}

RewardFunction constant(const std::string& name, std::vector<float> values) {
  return {name, verifier_of([values](auto, const PromptSource&) { return values; })};
}

RewardFunction exact() {
  RewardFunction function{"exact", std::make_shared<ScoredVerifier>(exact_score)};
  function.judges = true;
  function.rollouts_at_once = 1;
  return function;
}

std::vector<Score> scores_of(std::vector<RewardFunction> functions, const RewardRules& rules = {}) {
  const PromptSet prompts = two_prompts();
  return RewardVerifier(std::move(functions), rules).score(responses(), prompts);
}

std::string mistake_of(RewardFunction function) {
  try {
    scores_of({std::move(function)});
  } catch (const RewardMistake& mistake) {
    EXPECT_EQ(mistake.exit_code(), 3);
    return mistake.what();
  }
  return "none";
}

TEST(RewardVerifier, OneFunctionIsItsOwnVerdict) {
  const std::vector<Score> scores = scores_of({exact()});
  ASSERT_EQ(scores.size(), 4u);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(scores[i].scoring, Scoring::Scored);
    EXPECT_EQ(scores[i].reward, i == 0 ? 1 : 0);
    EXPECT_EQ(scores[i].correct, i == 0);
    EXPECT_EQ(scores[i].answer, responses()[i].text);
    EXPECT_TRUE(scores[i].parts.empty());
    EXPECT_GE(scores[i].seconds, 0);
  }
}

TEST(RewardVerifier, NoneAndNaNAreNotScorable) {
  const std::vector<Score> scores = scores_of({constant("f", {1, kNaN, 0, kNaN})});
  for (const std::size_t i : {1, 3}) {
    EXPECT_EQ(scores[i].scoring, Scoring::NotScorable);
    EXPECT_EQ(scores[i].reward, 0);
    EXPECT_FALSE(scores[i].correct);
  }
  EXPECT_EQ(scores[0].scoring, Scoring::Scored);
  EXPECT_TRUE(scores[0].correct);
  EXPECT_FALSE(scores[2].correct);
  // A function of one response says the same by its Score.
  const ScoreResponse none = [](const Prompt&, std::string_view) {
    Score score;
    score.scoring = Scoring::NotScorable;
    return score;
  };
  EXPECT_EQ(scores_of({{"g", std::make_shared<ScoredVerifier>(none)}})[0].scoring,
            Scoring::NotScorable);
}

TEST(RewardVerifier, InfinityEndsTheRun) {
  for (const float value : {kInfinity, -kInfinity})
    EXPECT_NE(mistake_of(constant("f", {1, value, 0, 0})).find("a finite number is needed"),
              std::string::npos);
  const ScoreResponse infinite = [](const Prompt&, std::string_view) {
    Score score;
    score.reward = kInfinity;
    return score;
  };
  EXPECT_NE(mistake_of({"g", std::make_shared<ScoredVerifier>(infinite)}).find("finite"),
            std::string::npos);
}

TEST(RewardVerifier, AListOfAnotherLengthEndsTheRun) {
  EXPECT_NE(mistake_of(constant("f", {1, 0, 0}))
                .find("[reward function f] it returned 3 rewards for 4 responses"),
            std::string::npos);
  EXPECT_NE(mistake_of(constant("f", {1, 0, 0, 0, 0})).find("5 rewards for 4"), std::string::npos);
  EXPECT_NE(mistake_of(constant("f", {})).find("0 rewards for 4"), std::string::npos);
}

TEST(RewardVerifier, AnExceptionIsAVerifierErrorWithItsText) {
  RewardFunction function{"judge", verifier_of([](std::span<const Rollout> rollouts, auto&) {
                            if (rollouts[0].prompt == 2) throw std::runtime_error("judge is away");
                            return std::vector<float>(rollouts.size(), 1);
                          })};
  function.rollouts_at_once = 2;
  const std::vector<Score> scores = scores_of({function});
  EXPECT_EQ(scores[0].scoring, Scoring::Scored);
  EXPECT_EQ(scores[1].scoring, Scoring::Scored);
  for (const std::size_t i : {2, 3}) {
    EXPECT_EQ(scores[i].scoring, Scoring::VerifierError);
    EXPECT_EQ(scores[i].reason, "reward function 'judge': it raised: judge is away");
    EXPECT_FALSE(scores[i].correct);
  }
}

TEST(RewardVerifier, ACallThatNeverEndsIsAVerifierErrorOfItsResponses) {
  auto release = std::make_shared<std::promise<void>>();
  const std::shared_future<void> let_go = release->get_future().share();
  RewardFunction function{"slow", verifier_of([let_go](std::span<const Rollout> rollouts, auto&) {
                            if (rollouts[0].id == 1) let_go.wait();
                            return std::vector<float>(rollouts.size(), 1);
                          })};
  function.rollouts_at_once = 1;
  RewardRules rules;
  rules.timeout_s = 0.05;
  rules.workers = 1;
  const std::vector<Score> scores = scores_of({function}, rules);
  for (std::size_t i = 0; i < 4; ++i)
    EXPECT_EQ(scores[i].scoring, i == 1 ? Scoring::VerifierError : Scoring::Scored) << i;
  EXPECT_NE(scores[1].reason.find("reward.timeout_s"), std::string::npos);
  release->set_value();
}

TEST(RewardVerifier, WeightsAndPartsAsInTrl) {
  RewardFunction first = exact(), second = constant("format", {1, 0.5, kNaN, 1});
  first.weight = 2;
  second.weight = 0.5;
  const std::vector<Score> scores = scores_of({first, second});
  const float expected[] = {2.5, 0.25, 0, 0.5};
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(scores[i].reward, expected[i]);
    EXPECT_EQ(scores[i].correct, i == 0);  // by the function that judges, whatever the weights
    EXPECT_EQ(scores[i].answer, responses()[i].text);
    ASSERT_EQ(scores[i].parts.size(), 2u);
    EXPECT_EQ(scores[i].parts[0], i == 0 ? 1 : 0);
  }
  EXPECT_TRUE(std::isnan(scores[2].parts[1]));
  RewardVerifier named({first, second}, {});
  EXPECT_EQ(named.part_names(), (std::vector<std::string>{"exact", "format"}));
}

TEST(RewardVerifier, AGateLetsTheEasyRewardCountWhereTheHardOneIsReached) {
  RewardRules rules;
  rules.gates = {{"format", "exact", 0.5}};
  const std::vector<Score> scores = scores_of({exact(), constant("format", {1, 1, 1, 1})}, rules);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(scores[i].reward, i == 0 ? 2 : 0);
  rules.gates = {{"format", "exakt", 0.5}};
  EXPECT_THROW(scores_of({exact(), constant("format", {1, 1, 1, 1})}, rules), Error);
}

TEST(RewardVerifier, CorrectMeansAboveTheThresholdWhateverTheScale) {
  RewardRules rules;
  rules.success_threshold = 0;
  const std::vector<Score> scores = scores_of({constant("f", {1, -1, 0, 0.1f})}, rules);
  EXPECT_TRUE(scores[0].correct);
  EXPECT_FALSE(scores[1].correct);
  EXPECT_FALSE(scores[2].correct);
  EXPECT_TRUE(scores[3].correct);
}

// Marks and steps say what the judge's verdict was, whatever the other functions make of it.
TEST(RewardVerifier, MarksAreThoseOfTheJudge) {
  RewardFunction math{"math", std::make_shared<MathVerifier>(verify::MathOptions{})};
  math.judges = true;
  const RewardFunction failing{"failing", verifier_of([](auto, const PromptSource&) {
                                 if (true) throw std::runtime_error("no");
                                 return std::vector<float>{};
                               })};
  const PromptSet prompts = two_prompts();
  RewardVerifier verifier({constant("length", {1, 2, 3, 4}), math}, {});
  EXPECT_EQ(verifier.mark_names(), math_mark_names());
  const std::vector<Score> alone = math.verifier->score(responses(), prompts);
  ASSERT_NE(alone[0].marks, 0u);
  const std::vector<Score> scores = verifier.score(responses(), prompts);
  const std::vector<Score> failed = RewardVerifier({math, failing}, {}).score(responses(), prompts);
  for (std::size_t i = 0; i < alone.size(); ++i) {
    EXPECT_EQ(scores[i].marks, alone[i].marks);
    EXPECT_EQ(scores[i].steps, alone[i].steps);
    EXPECT_EQ(failed[i].scoring, Scoring::VerifierError);
    EXPECT_EQ(failed[i].marks, alone[i].marks);
  }
  EXPECT_TRUE(RewardVerifier({constant("length", {1, 2, 3, 4}), constant("x", {1, 2, 3, 4})}, {})
                  .mark_names()
                  .empty());
}

TEST(RewardVerifier, ARolloutWithoutAResponseIsNotShownToAnyFunction) {
  std::vector<Rollout> rollouts = responses();
  rollouts[0].status = Status::Failed;
  rollouts[2].status = Status::Cancelled;
  rollouts[3].status = Status::Truncated;
  const PromptSet prompts = two_prompts();
  std::size_t shown = 0;
  RewardVerifier verifier({{"f", verifier_of([&](std::span<const Rollout> given, auto&) {
                              shown = given.size();
                              return std::vector<float>(given.size(), 1);
                            })}},
                          {});
  const std::vector<Score> scores = verifier.score(rollouts, prompts);
  EXPECT_EQ(shown, 2u);
  EXPECT_EQ(scores[0].scoring, Scoring::NotScorable);
  EXPECT_EQ(scores[1].scoring, Scoring::Scored);
  EXPECT_EQ(scores[2].reason, "generation ended as cancelled");
  EXPECT_EQ(scores[3].scoring, Scoring::Scored);
  EXPECT_TRUE(verifier.score({}, prompts).empty());
}

TEST(RewardVerifier, WorkersAndPortionsChangeNothing) {
  const std::vector<Score> one = scores_of({exact()});
  RewardRules rules;
  rules.workers = 4;
  RewardFunction whole = exact();
  whole.rollouts_at_once = 0;
  const std::vector<Score> other = scores_of({whole}, rules);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(one[i].reward, other[i].reward);
}

TEST(RewardVerifier, FunctionsHaveDifferentNames) {
  EXPECT_THROW(scores_of({}), Error);
  EXPECT_THROW(scores_of({exact(), exact()}), Error);
}

}  // namespace
}  // namespace allot
