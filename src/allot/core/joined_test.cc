#include "allot/core/joined.h"

#include <gtest/gtest.h>

namespace allot {
namespace {

TEST(Joined, PutsTheTextBetweenWords) {
  EXPECT_EQ(joined({}), "");
  EXPECT_EQ(joined({"a"}), "a");
  EXPECT_EQ(joined({"a", "b", "c"}), "a, b, c");
  EXPECT_EQ(joined({"", "b", ""}, " or "), " or b or ");
}

}  // namespace
}  // namespace allot
