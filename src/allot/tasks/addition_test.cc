#include "allot/tasks/addition.h"

#include <algorithm>
#include <map>
#include <set>

#include <gtest/gtest.h>

namespace allot {
namespace {

// Digit by digit with a carry, as in school.
std::string schoolbook(std::string a, std::string b) {
  std::reverse(a.begin(), a.end());
  std::reverse(b.begin(), b.end());
  std::string sum;
  int carry = 0;
  for (std::size_t i = 0; i < std::max(a.size(), b.size()) || carry > 0; ++i) {
    const int digit = (i < a.size() ? a[i] - '0' : 0) + (i < b.size() ? b[i] - '0' : 0) + carry;
    sum += static_cast<char>('0' + digit % 10);
    carry = digit / 10;
  }
  std::reverse(sum.begin(), sum.end());
  return sum;
}

std::string significant(const std::string& digits) {
  return digits.substr(std::min(digits.find_first_not_of('0'), digits.size() - 1));
}

// As written: both as wide as the longest level.
std::pair<std::string, std::string> operands(const Prompt& prompt) {
  const std::size_t plus = prompt.text.find('+');
  return {prompt.text.substr(0, plus), prompt.text.substr(plus + 1, prompt.text.size() - plus - 3)};
}

TEST(Addition, AnswersAreSums) {
  AdditionOptions options;
  options.digits.max = 18;
  const PuzzleSets sets = draw_puzzles(addition(options));
  std::map<std::size_t, int> lengths;
  for (const auto* side : {&sets.train, &sets.test}) {
    for (const Prompt& prompt : *side) {
      const auto [a, b] = operands(prompt);
      ASSERT_EQ(prompt.text, a + "+" + b + "=>");
      for (const std::string& operand : {a, b}) {
        ASSERT_EQ(operand.size(), 18u) << prompt.text;
        ASSERT_EQ(operand.find_first_not_of("0123456789"), std::string::npos);
      }
      const std::size_t longer = significant(a).size(), shorter = significant(b).size();
      const std::size_t level = std::max(longer, shorter);
      ASSERT_GE(std::min(longer, shorter), (level + 1) / 2);
      ++lengths[level];
      ASSERT_EQ(prompt.answer, significant(schoolbook(a, b))) << prompt.text;
      ASSERT_EQ(significant(prompt.demonstration), prompt.answer);
      ASSERT_EQ(prompt.demonstration.size(), 19u);
    }
  }
  EXPECT_EQ(lengths.size(), 18u);
}

TEST(Addition, SwappedOperandsAreTheSameQuestion) {
  const PuzzleSets sets = draw_puzzles(addition({}));
  std::set<std::pair<std::string, std::string>> seen;
  int first_is_longer = 0, second_is_longer = 0;
  for (const auto* side : {&sets.train, &sets.test}) {
    for (const Prompt& prompt : *side) {
      const auto [a, b] = operands(prompt);
      first_is_longer += significant(a).size() > significant(b).size();
      second_is_longer += significant(b).size() > significant(a).size();
      ASSERT_TRUE(seen.insert(std::minmax(a, b)).second) << prompt.text;
    }
  }
  EXPECT_GT(first_is_longer, 500);
  EXPECT_GT(second_is_longer, 500);
}

TEST(Addition, LeadingZerosAreAllowed) {
  const ScoredVerifier verifier(addition({}).score);
  Prompt prompt;
  prompt.answer = "1025";
  EXPECT_TRUE(verifier.score_one(prompt, "1025").correct);
  EXPECT_TRUE(verifier.score_one(prompt, "0001025").correct);
  EXPECT_FALSE(verifier.score_one(prompt, "10250").correct);
  EXPECT_FALSE(verifier.score_one(prompt, "025").correct);
  EXPECT_FALSE(verifier.score_one(prompt, "+1025").parsed);
}

}  // namespace
}  // namespace allot
