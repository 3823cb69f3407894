#include "allot/app/reward_functions.h"

#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "allot/core/error.h"
#include "allot/tasks/prompt_set.h"

namespace allot {
namespace {

PromptSet prompts() {
  Prompt sum, letter, count;
  sum.id = 1, sum.key = "sum", sum.text = "What is 40 + 2?", sum.answer = "42";
  letter.id = 2, letter.key = "letter", letter.text = "A or B?", letter.answer = "B";
  count.id = 3, count.key = "count", count.text = "make 024:3,8=>", count.answer = "3*8";
  return PromptSet({sum, letter, count}, 0);
}

Rollout response(PromptId prompt, const std::string& text, std::size_t tokens = 4) {
  Rollout rollout;
  rollout.id = prompt;
  rollout.prompt = prompt;
  rollout.text = text;
  rollout.tokens.assign(tokens, 1);
  return rollout;
}

Score score_of(const RewardOptions& options, const Rollout& rollout) {
  TaskOptions tasks;
  tasks.task = "jsonl";
  const std::shared_ptr<Verifier> task = make_verifier(tasks);
  const PromptSet asked = prompts();
  return make_reward_verifier(options, tasks, task, 20)->score(std::span(&rollout, 1), asked).at(0);
}

Score score_by(const std::string& function, const Rollout& rollout) {
  RewardOptions options;
  options.functions = {function};
  return score_of(options, rollout);
}

TEST(RewardFunctions, EachJudgesInItsOwnWay) {
  EXPECT_EQ(score_by("task", response(1, "42")).reward, 1);
  EXPECT_EQ(score_by("task", response(1, "It is 42")).reward, 0);  // compares texts
  EXPECT_EQ(score_by("exact", response(1, " 42 ")).reward, 1);
  EXPECT_EQ(score_by("math", response(1, "So it is \\boxed{84/2}.")).reward, 1);
  EXPECT_EQ(score_by("math", response(1, "So it is \\boxed{41}.")).reward, 0);
  EXPECT_EQ(score_by("gsm8k", response(1, "40 + 2\n#### 42")).reward, 1);
  EXPECT_EQ(score_by("choice", response(2, "\\boxed{(B)}")).reward, 1);
  EXPECT_EQ(score_by("choice", response(2, "\\boxed{A}")).reward, 0);
  EXPECT_EQ(score_by("countdown", response(3, "8*3")).reward, 1);
  EXPECT_EQ(score_by("countdown", response(3, "8+3")).reward, 0);
  EXPECT_EQ(score_by("format", response(1, "<think>hm</think>42")).reward, 1);
  EXPECT_EQ(score_by("format", response(1, "42")).reward, 0);
  EXPECT_EQ(score_by("repetition", response(1, "a b c a b c")).reward, -0.25f);
}

// The longest response has 20 tokens, so that the buffer is 4.
TEST(RewardFunctions, LengthsAreThoseOfTheRun) {
  EXPECT_EQ(score_by("soft_overlong", response(1, "42", 16)).reward, 0);
  EXPECT_EQ(score_by("soft_overlong", response(1, "42", 18)).reward, -0.5f);
  EXPECT_EQ(score_by("soft_overlong", response(1, "42", 20)).reward, -1);
  RewardOptions options;
  options.functions = {"soft_overlong"};
  options.overlong_buffer = 10;
  EXPECT_EQ(score_of(options, response(1, "42", 15)).reward, -0.5f);
  options.overlong_buffer = 21;
  EXPECT_THROW(score_of(options, response(1, "42")), Error);
  EXPECT_EQ(score_by("length_cosine", response(1, "42", 10)).reward, 0.75f);
  EXPECT_EQ(score_by("length_cosine", response(1, "41", 10)).reward, -0.75f);
}

TEST(RewardFunctions, WeightsAddUpAndTheJudgeSaysWhatIsCorrect) {
  RewardOptions options;
  options.functions = {"format", "math", "soft_overlong"};
  options.weights = {0.25, 1, 2};
  const Score wrong = score_of(options, response(1, "<think>hm</think> \\boxed{41}", 18));
  EXPECT_EQ(wrong.reward, 0.25f - 1);
  EXPECT_FALSE(wrong.correct);
  const Score right = score_of(options, response(1, "\\boxed{42}", 20));
  EXPECT_EQ(right.reward, -1);  // too long; and right all the same
  EXPECT_TRUE(right.correct);
  EXPECT_EQ(right.parts, (std::vector<float>{0, 1, -1}));
  options.gate = {"format:math"};
  EXPECT_EQ(score_of(options, response(1, "<think>hm</think> \\boxed{41}", 4)).reward, 0);
  EXPECT_EQ(score_of(options, response(1, "<think>hm</think> \\boxed{42}", 4)).reward, 1.25f);
}

std::string rewards_refusal(const RewardOptions& options) {
  try {
    options.validate();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Config);
    return error.what();
  }
  return "";
}

TEST(RewardOptions, WhatMakesNoSenseIsNamed) {
  EXPECT_EQ(rewards_refusal({}), "");
  RewardOptions options;
  options.functions = {"maths"};
  EXPECT_NE(rewards_refusal(options).find("did you mean 'math'?"), std::string::npos);
  options.functions = {};
  EXPECT_NE(rewards_refusal(options).find("one or more"), std::string::npos);
  options.functions = {"math", "math"};
  EXPECT_NE(rewards_refusal(options).find("given twice"), std::string::npos);
  options.functions = {"math", "format"};
  options.weights = {1};
  EXPECT_NE(rewards_refusal(options).find("1 were given for 2"), std::string::npos);
  options.weights = {};
  for (const char* gate : {"format", ":math", "format:", "format:math:x", "format:math:1x"}) {
    options.gate = {gate};
    EXPECT_NE(rewards_refusal(options).find("EASY:HARD"), std::string::npos) << gate;
  }
  options.gate = {"format:exact"};
  EXPECT_NE(rewards_refusal(options).find("'exact' is not among"), std::string::npos);
  options.gate = {"format:math:0.75"};
  EXPECT_EQ(rewards_refusal(options), "");
  EXPECT_EQ(options.rules().gates.at(0).least, 0.75);
}

TEST(RewardOptions, TheManualIsUpToDate) {
  std::ifstream in(ALLOT_SOURCE_DIR "/docs/rewards.md");
  std::ostringstream text;
  text << in.rdbuf();
  RewardOptions options;
  const std::string table = OptionList::of(options, "reward").docs_table();
  EXPECT_NE(text.str().find("<!-- options:begin -->\n" + table + "<!-- options:end -->"),
            std::string::npos)
      << "put this table between the markers of docs/rewards.md:\n"
      << table;
  for (const std::string& name : reward_function_names())
    EXPECT_NE(text.str().find("| `" + name + "` |"), std::string::npos) << name;
}

}  // namespace
}  // namespace allot
