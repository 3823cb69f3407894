#include "allot/tasks/rewards/shaping.h"

#include <gtest/gtest.h>

namespace allot {
namespace {

TEST(ThinkFormat, OneBlockAtTheStartAndAnAnswerBehindIt) {
  EXPECT_EQ(think_format("<think>2 and 2</think> 4"), 1);
  EXPECT_EQ(think_format(" \n<think></think>4"), 1);
  for (const char* response :
       {"", "4", "<think>2 and 2 4", "2 and 2</think>4", "<think>2</think>", "<think>2</think> \n",
        "so <think>2</think> 4", "<think>a<think>b</think> 4", "<think>a</think>b</think>c",
        "<think>a</think> b <think>c</think> d", "<THINK>a</THINK> b"})
    EXPECT_EQ(think_format(response), 0) << response;
}

TEST(LengthCosine, RightOnesAreWorthMoreWhenShortWrongOnesWhenLong) {
  EXPECT_DOUBLE_EQ(length_cosine(true, 0, 100), 1);
  EXPECT_DOUBLE_EQ(length_cosine(true, 100, 100), 0.5);
  EXPECT_DOUBLE_EQ(length_cosine(true, 50, 100), 0.75);
  EXPECT_DOUBLE_EQ(length_cosine(false, 0, 100), -1);
  EXPECT_DOUBLE_EQ(length_cosine(false, 100, 100), -0.5);
  EXPECT_DOUBLE_EQ(length_cosine(false, 400, 100), -0.5);
  // A third of the way: cos(pi / 3) = 1/2, so three quarters of the difference are left.
  EXPECT_NEAR(length_cosine(true, 20, 60), 0.5 + 0.5 * 0.75, 1e-12);
  EXPECT_NEAR(length_cosine(false, 20, 60), -0.5 - 0.5 * 0.75, 1e-12);
}

TEST(RepetitionPenalty, TheShareOfRepeatedGroupsOfWords) {
  EXPECT_EQ(repetition_penalty("", 2), 0);
  EXPECT_EQ(repetition_penalty("a", 2), 0);
  EXPECT_EQ(repetition_penalty("a b c d", 2), 0);
  // a b, b a, a b, b a: two of four are repetitions.
  EXPECT_DOUBLE_EQ(repetition_penalty("a b a b a", 2), -0.5);
  EXPECT_DOUBLE_EQ(repetition_penalty("  a\ta \n a   a", 1), -0.75);
  EXPECT_EQ(repetition_penalty("ab c a bc", 2), 0);  // words are compared, not letters
}

}  // namespace
}  // namespace allot
