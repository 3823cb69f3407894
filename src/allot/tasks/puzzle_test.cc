#include "allot/tasks/puzzle.h"

#include <algorithm>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "allot/core/error.h"
#include "allot/tasks/addition.h"
#include "allot/tasks/alphabet.h"
#include "allot/tasks/chain_arithmetic.h"
#include "allot/tasks/countdown.h"
#include "allot/tasks/digit_sort.h"

namespace allot {
namespace {

// What holds for every built-in task, at its default and at its widest levels.
class EveryPuzzleTask : public ::testing::TestWithParam<PuzzleTask> {};

std::vector<PuzzleTask> all_tasks() {
  std::vector<PuzzleTask> all = {digit_sort({}), addition({}), chain_arithmetic({}), countdown({})};
  DigitSortOptions sort;
  sort.digits.min = 1;
  sort.digits.max = 32;
  all.push_back(digit_sort(sort));
  AdditionOptions sum;
  sum.digits.max = 18;
  all.push_back(addition(sum));
  ChainArithmeticOptions chain;
  chain.operations.max = 9;
  chain.modulus = 1000;
  all.push_back(chain_arithmetic(chain));
  CountdownOptions numbers;
  numbers.numbers.max = 6;
  numbers.largest = 99;
  numbers.largest_target = 999;
  all.push_back(countdown(numbers));
  numbers.largest_target = 10;  // the setting for which puzzles are rarest
  numbers.sizes.train = 100;
  numbers.sizes.test = 50;
  all.push_back(countdown(numbers));
  return all;
}

std::string label(const ::testing::TestParamInfo<PuzzleTask>& info) {
  return info.param.name + std::to_string(info.index);
}

INSTANTIATE_TEST_SUITE_P(Tasks, EveryPuzzleTask, ::testing::ValuesIn(all_tasks()), label);

std::set<std::string> texts(const std::vector<Prompt>& prompts) {
  std::set<std::string> all;
  for (const Prompt& prompt : prompts) all.insert(prompt.text);
  return all;
}

TEST_P(EveryPuzzleTask, DemonstrationsAreRightAndShort) {
  const PuzzleTask& task = GetParam();
  const ScoredVerifier verifier(task.score);
  const PuzzleSets sets = draw_puzzles(task);
  EXPECT_EQ(sets.train.size(), static_cast<std::size_t>(task.sizes.train));
  EXPECT_EQ(sets.test.size(), static_cast<std::size_t>(task.sizes.test));
  std::size_t longest_prompt = 0, longest_response = 0;
  for (const auto* side : {&sets.train, &sets.test}) {
    for (const Prompt& prompt : *side) {
      const Score score = verifier.score_one(prompt, prompt.demonstration);
      ASSERT_TRUE(score.correct) << prompt.text << " " << prompt.demonstration;
      ASSERT_FALSE(score.answer.empty());
      for (const std::string& text : {prompt.text, prompt.demonstration})
        ASSERT_EQ(text.find_first_not_of(kAlphabet), std::string::npos) << text;
      longest_prompt = std::max(longest_prompt, prompt.text.size());
      longest_response = std::max(longest_response, prompt.demonstration.size());
    }
  }
  EXPECT_LE(longest_prompt, task.longest_prompt);
  EXPECT_LE(longest_response, task.longest_response);
  EXPECT_LE(task.longest_prompt, 48u);
  EXPECT_LE(task.longest_response, 48u);
}

TEST_P(EveryPuzzleTask, TrainAndTestAreDisjointAlsoAcrossSeedsAndSizes) {
  PuzzleTask task = GetParam();
  std::set<std::string> train, test;
  for (const std::uint64_t seed : {0, 1}) {
    task.sizes.seed = seed;
    task.sizes.train /= seed == 0 ? 1 : 3;
    const PuzzleSets sets = draw_puzzles(task);
    EXPECT_EQ(texts(sets.train).size(), sets.train.size());
    EXPECT_EQ(texts(sets.test).size(), sets.test.size());
    train.merge(texts(sets.train));
    test.merge(texts(sets.test));
  }
  for (const std::string& text : test) ASSERT_FALSE(train.contains(text)) << text;
}

TEST_P(EveryPuzzleTask, SameOptionsSamePuzzlesAnotherSeedOthers) {
  PuzzleTask task = GetParam();
  const std::set<std::string> first = texts(draw_puzzles(task).train);
  EXPECT_EQ(texts(draw_puzzles(task).train), first);
  task.sizes.seed = 9;
  EXPECT_NE(texts(draw_puzzles(task).train), first);
}

TEST_P(EveryPuzzleTask, VerifierSurvivesAnyBytes) {
  const PuzzleTask& task = GetParam();
  const ScoredVerifier verifier(task.score);
  PuzzleTask small = task;
  small.sizes.train = small.sizes.test = 4;
  const PuzzleSets sets = draw_puzzles(small);
  for (std::uint64_t i = 0; i < 4000; ++i) {
    RandomStream random({5, RandomUse::Test, 0, i});
    const Prompt& prompt = sets.train[i % sets.train.size()];
    std::string response(random.below(30), '\0');
    for (char& c : response)
      c = i % 2 == 0 ? kAlphabet[random.below(kAlphabet.size())]
                     : static_cast<char>(random.below(256));
    const Score score = verifier.score_one(prompt, response);
    ASSERT_EQ(score.scoring, Scoring::Scored);
    ASSERT_TRUE(score.reward == 0 || score.reward == 1);
    ASSERT_EQ(score.correct, score.reward == 1);
    ASSERT_TRUE(score.correct || !score.reason.empty());
  }
  EXPECT_FALSE(verifier.score_one(sets.train[0], "").parsed);
}

std::map<std::size_t, int> lengths(const std::vector<Prompt>& prompts) {
  std::map<std::size_t, int> counts;
  for (const Prompt& prompt : prompts) ++counts[prompt.answer.size()];
  return counts;
}

TEST(DrawPuzzles, WeightsSetTheMixture) {
  DigitSortOptions options;
  options.digits.min = 6;
  options.digits.max = 8;
  options.digits.weights = {1, 0, 3};
  options.sizes.train = 400;
  options.sizes.test = 40;
  const PuzzleSets sets = draw_puzzles(digit_sort(options));
  EXPECT_EQ(lengths(sets.train), (std::map<std::size_t, int>{{6, 100}, {8, 300}}));
  EXPECT_EQ(lengths(sets.test), (std::map<std::size_t, int>{{6, 10}, {8, 30}}));
}

// One digit gives 10 puzzles, two give 100: all on this side of the split, the rest is harder.
TEST(DrawPuzzles, ExhaustedLevelsPassOnToHarderOnes) {
  DigitSortOptions options;
  options.digits.min = 1;
  options.digits.max = 3;
  options.sizes.train = 600;
  options.sizes.test = 10;
  const PuzzleSets sets = draw_puzzles(digit_sort(options));
  int one = 0, two = 0;
  for (int i = 0; i < 10; ++i) one += !belongs_to_test(std::to_string(i));
  for (int i = 0; i < 100; ++i)
    two += !belongs_to_test(std::to_string(i / 10) + std::to_string(i % 10));
  const std::map<std::size_t, int> counts = lengths(sets.train);
  EXPECT_EQ(counts.at(1), one);
  EXPECT_EQ(counts.at(2), two);
  EXPECT_EQ(counts.at(3), 600 - one - two);
}

TEST(DrawPuzzles, TooFewPuzzlesIsAnErrorThatSaysHowMany) {
  DigitSortOptions options;
  options.digits.min = 1;
  options.digits.max = 2;
  try {
    draw_puzzles(digit_sort(options));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Config);
    EXPECT_NE(std::string(error.what()).find("2000 training prompts"), std::string::npos)
        << error.what();
  }
}

TEST(DrawPuzzles, AThirdOfAllIdentitiesIsHeldOut) {
  int test = 0;
  for (int i = 0; i < 30000; ++i) test += belongs_to_test(std::to_string(i));
  EXPECT_NEAR(test, 10000, 5 * 82);  // 5 s.d. of a binomial
}

TEST(ScoreDigits, EqualTextOnly) {
  EXPECT_EQ(score_digits("012", " 012\n").reward, 1);
  EXPECT_EQ(score_digits("012", "12").reward, 0);
  EXPECT_TRUE(score_digits("012", "12").parsed);
  EXPECT_EQ(score_digits("012", "12").answer, "12");
  EXPECT_FALSE(score_digits("12", "1 2").parsed);
  EXPECT_FALSE(score_digits("12", "12;").parsed);
  EXPECT_FALSE(score_digits("12", " ").parsed);
}

}  // namespace
}  // namespace allot
