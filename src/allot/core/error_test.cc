#include "allot/core/error.h"

#include <cstdint>
#include <limits>
#include <sstream>
#include <string>
#include <string_view>
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

// As a stream would write it.
TEST(Concat, WritesTextCharactersAndNumbers) {
  const std::string name = "b";
  EXPECT_EQ(concat("a", name, std::string_view("cd").substr(1), '-', 3, " ", -7L, true),
            "abd-3 -71");
  EXPECT_EQ(concat(std::numeric_limits<std::uint64_t>::max()), "18446744073709551615");
  EXPECT_EQ(concat(std::numeric_limits<std::int64_t>::min()), "-9223372036854775808");
  EXPECT_EQ(concat(), "");
  for (const double number :
       {0.0, -0.0, 0.1, 1.0 / 3, -1234567.0, 1e-5, 1e100, 123456.0, 2.5e-300,
        std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::max()}) {
    std::ostringstream out;
    out << number;
    EXPECT_EQ(concat(number), out.str());
  }
  EXPECT_EQ(concat(0.5f), "0.5");
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
