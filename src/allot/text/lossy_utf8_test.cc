#include "allot/text/lossy_utf8.h"

#include <gtest/gtest.h>

namespace allot {
namespace {

// Table 3-8 of the Unicode standard and its neighbours.
TEST(LossyUtf8, ReplacesMaximalParts) {
  const std::string r(kReplacement);
  EXPECT_EQ(lossy_utf8("a\u00e9\u20ac\U0001f600"), "a\u00e9\u20ac\U0001f600");
  EXPECT_EQ(lossy_utf8("a\xF1\x80\x80\xE1\x80\xC2"
                       "b\x80"
                       "c\x80\xBF"
                       "d"),
            "a" + r + r + r + "b" + r + "c" + r + r + "d");
  EXPECT_EQ(lossy_utf8("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82"
                       "A"),
            r + r + r + r + r + r + r + r + "A");
  EXPECT_EQ(lossy_utf8("\xED\xA0\x80"
                       "A"),
            r + r + r + "A");
  EXPECT_EQ(lossy_utf8("\xF4\x91\x92\x93\xFF"), r + r + r + r + r);
  EXPECT_EQ(lossy_utf8("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF"
                       "A"),
            r + r + r + r + "A");
  EXPECT_EQ(lossy_utf8("x\xF0\x9F\x98"), "x" + r);
}

TEST(LossyUtf8, HoldsBackWhatMayBecomeACharacter) {
  std::string out;
  EXPECT_EQ(append_complete_utf8("ab\xF0\x9F\x98", out), 2u);
  EXPECT_EQ(out, "ab");
  EXPECT_EQ(append_complete_utf8("\xE0\x80", out), 2u);  // cannot become one
  EXPECT_EQ(out, "ab\uFFFD\uFFFD");
  EXPECT_EQ(append_complete_utf8("\xE0", out), 0u);
}

}  // namespace
}  // namespace allot
