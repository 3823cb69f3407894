#include "allot/core/error.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace allot {
namespace {

TEST(Error, ReadsAsOneSentenceWithAHint) {
  const Error error(ErrorKind::Data, "data.load", "line 3 has no prompt; one is needed",
                    "see docs/data.md");
  EXPECT_STREQ(error.what(),
               "[data.load] line 3 has no prompt; one is needed. Hint: see docs/data.md.");
  EXPECT_EQ(error.exit_code(), 3);
}

TEST(Error, DoesNotRepeatTheFullStop) {
  EXPECT_STREQ(Error(ErrorKind::Config, "a", "b.").what(), "[a] b.");
  EXPECT_STREQ(Error(ErrorKind::Config, "a", "b", "did you mean 'c'?").what(),
               "[a] b. Hint: did you mean 'c'?");
}

TEST(Error, KindsAreExitCodes) {
  EXPECT_EQ(Error(ErrorKind::Config, "", "").exit_code(), 2);
  EXPECT_EQ(Error(ErrorKind::Model, "", "").exit_code(), 4);
  EXPECT_EQ(Error(ErrorKind::Sampler, "", "").exit_code(), 5);
  EXPECT_EQ(Error(ErrorKind::Internal, "", "").exit_code(), 70);
}

TEST(EditDistance, CountsInsertionsDeletionsReplacementsAndSwaps) {
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("abc", ""), 3u);
  EXPECT_EQ(edit_distance("same", "same"), 0u);
  EXPECT_EQ(edit_distance("areo", "aero"), 1u);
  EXPECT_EQ(edit_distance("ca", "abc"), 3u);  // a swapped pair is not edited again
}

TEST(Nearest, OffersTheClosestNameOrNothing) {
  const std::vector<std::string> names{"grpo", "dapo", "aero"};
  EXPECT_EQ(nearest("grop", names), "grpo");
  EXPECT_EQ(nearest("areo", names), "aero");
  EXPECT_EQ(nearest("completely_different", names), "");
  EXPECT_EQ(nearest("x", std::vector<std::string>{}), "");
}

}  // namespace
}  // namespace allot
