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
        ASSERT_FALSE(operand.empty());
        ASSERT_EQ(operand.find_first_not_of("0123456789"), std::string::npos);
        ASSERT_TRUE(operand.size() == 1 || operand[0] != '0') << prompt.text;
      }
      const std::size_t level = std::max(a.size(), b.size());
      ASSERT_GE(std::min(a.size(), b.size()), (level + 1) / 2);
      ++lengths[level];
      ASSERT_EQ(prompt.answer, schoolbook(a, b)) << prompt.text;
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
      first_is_longer += a.size() > b.size();
      second_is_longer += b.size() > a.size();
      ASSERT_TRUE(seen.insert(std::minmax(a, b)).second) << prompt.text;
    }
  }
  EXPECT_GT(first_is_longer, 500);
  EXPECT_GT(second_is_longer, 500);
}

TEST(Addition, LeadingZerosAreWrong) {
  const ScoredVerifier verifier(addition({}).score);
  Prompt prompt;
  prompt.answer = "1025";
  EXPECT_TRUE(verifier.score_one(prompt, "1025").correct);
  EXPECT_FALSE(verifier.score_one(prompt, "01025").correct);
  EXPECT_FALSE(verifier.score_one(prompt, "+1025").parsed);
}

}  // namespace
}  // namespace allot
