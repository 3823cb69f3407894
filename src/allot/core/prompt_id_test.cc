#include "allot/core/prompt_id.h"

#include <set>
#include <string>

#include <gtest/gtest.h>

namespace allot {
namespace {

// From a second implementation of FNV-1a with the 64-bit Murmur3 finaliser. Stored in run folders
// and shared with the Python side, so they must never change.
TEST(PromptId, PinnedValues) {
  EXPECT_EQ(hash_bytes(""), 0xefd01f60ba992926u);
  EXPECT_EQ(hash_bytes("a"), 0x82a2a958a9bece5bu);
  EXPECT_EQ(hash_bytes("a", 1), 0x4e7e6b73b43d4b33u);
  EXPECT_EQ(prompt_id("aime-24-3"), 6141164752651585386u);
  EXPECT_EQ(prompt_id("\xC3\xA9"), 4381480285430267850u);
  EXPECT_EQ(prompt_id("What is 2 + 2?", "4"), 4692133453630344259u);
}

TEST(PromptId, HasSixtyThreeBits) {
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(prompt_id(std::to_string(i)) >> 63, 0u);
}

TEST(PromptId, SeparatesTextFromAnswer) {
  EXPECT_NE(prompt_id("ab", "c"), prompt_id("a", "bc"));
  EXPECT_NE(prompt_id("ab", ""), prompt_id("", "ab"));
  EXPECT_NE(prompt_id("ab", ""), prompt_id("ab"));
  EXPECT_NE(prompt_id(std::string_view("a\0", 2), "b"), prompt_id("a", "b"));
}

TEST(PromptId, DoesNotCollideOnPlainPuzzles) {
  std::set<PromptId> ids;
  for (int a = 0; a < 300; ++a)
    for (int b = 0; b < 300; ++b)
      ids.insert(
          prompt_id(std::to_string(a) + "+" + std::to_string(b) + "=?", std::to_string(a + b)));
  EXPECT_EQ(ids.size(), 90000u);
}

}  // namespace
}  // namespace allot
