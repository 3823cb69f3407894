#include "allot/tasks/digit_sort.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace allot {
namespace {

TEST(DigitSort, AnswersAreTheSortedDigitsOfThePrompt) {
  for (const Prompt& prompt : draw_puzzles(digit_sort({})).train) {
    ASSERT_TRUE(prompt.text.starts_with("sort:") && prompt.text.ends_with("=>")) << prompt.text;
    std::string digits = prompt.text.substr(5, prompt.text.size() - 7);
    ASSERT_EQ(digits.find_first_not_of("0123456789"), std::string::npos);
    ASSERT_TRUE(digits.size() >= 2 && digits.size() <= 16);
    std::sort(digits.begin(), digits.end());
    ASSERT_EQ(prompt.answer, digits);
    ASSERT_EQ(prompt.demonstration, digits);
  }
}

TEST(DigitSort, OtherOrdersAndOtherDigitsAreWrong) {
  const ScoredVerifier verifier(digit_sort({}).score);
  Prompt prompt;
  prompt.text = "sort:3817=>";
  prompt.answer = "1378";
  EXPECT_TRUE(verifier.score_one(prompt, "1378").correct);
  for (const char* response : {"8731", "137", "13788", "1377", "01378"}) {
    const Score score = verifier.score_one(prompt, response);
    EXPECT_FALSE(score.correct) << response;
    EXPECT_TRUE(score.parsed) << response;
    EXPECT_EQ(score.answer, response);
  }
  EXPECT_FALSE(verifier.score_one(prompt, "1,3,7,8").parsed);
}

}  // namespace
}  // namespace allot
