#include "allot/tasks/alphabet.h"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>

namespace allot {
namespace {

TEST(Alphabet, IsFixedDistinctAndPrintable) {
  EXPECT_EQ(kAlphabet.size(), 51u);
  EXPECT_LE(kAlphabet.size(), 61u);
  EXPECT_EQ(std::set<char>(kAlphabet.begin(), kAlphabet.end()).size(), kAlphabet.size());
  for (const char c : kAlphabet) EXPECT_TRUE(c >= ' ' && c <= '~') << c;
}

TEST(Alphabet, OfPromptsAppendsForeignCharactersAscending) {
  std::vector<Prompt> prompts(2);
  prompts[0].text = "2+2=\xC3\xA9Z";          // e with acute accent
  prompts[0].demonstration = "\xE2\x82\xAC";  // euro sign
  prompts[1].answer = "Z!\xF0\x9F\x98\x80";   // a smiling face
  EXPECT_EQ(alphabet_of(prompts),
            std::string(kAlphabet) + "!Z\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
  EXPECT_EQ(alphabet_of({}), kAlphabet);
}

TEST(Utf8, CountsCodePoints) {
  EXPECT_EQ(character_count(""), 0u);
  EXPECT_EQ(character_count("abc"), 3u);
  EXPECT_EQ(character_count("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"), 3u);
}

// Encodes any number the way UTF-8 would, in a given number of bytes, legal or not.
std::string encoded(unsigned code, int bytes) {
  if (bytes == 1) return {static_cast<char>(code)};
  std::string text(static_cast<std::size_t>(bytes), '\0');
  for (int i = bytes - 1; i > 0; --i, code >>= 6)
    text[static_cast<std::size_t>(i)] = static_cast<char>(0x80 | (code & 0x3F));
  const unsigned marks[] = {0, 0, 0xC0, 0xE0, 0xF0};
  text[0] = static_cast<char>(marks[bytes] | code);
  return text;
}

// The oracle is the definition: a code point has exactly one legal length, and surrogates none.
TEST(Utf8, AcceptsEveryCodePointInItsShortestFormOnly) {
  for (unsigned code = 0; code < 0x200000; code += code < 0x11000 ? 1 : 37) {
    const int shortest = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    const bool legal = code <= 0x10FFFF && !(code >= 0xD800 && code <= 0xDFFF);
    for (int bytes = shortest; bytes <= 4; ++bytes) {
      const std::string text = "ab" + encoded(code, bytes);
      const std::size_t expected = legal && bytes == shortest ? text.size() : 2;
      ASSERT_EQ(valid_utf8_prefix(text), expected) << code << " in " << bytes << " bytes";
    }
  }
}

TEST(Utf8, RefusesCutAndStraySequences) {
  EXPECT_EQ(valid_utf8_prefix("a\xE2\x82"), 1u);
  EXPECT_EQ(valid_utf8_prefix("a\x80"), 1u);
  EXPECT_EQ(valid_utf8_prefix("\xFF"), 0u);
  EXPECT_EQ(valid_utf8_prefix("\xE2\x28\xA1"), 0u);
  EXPECT_EQ(valid_utf8_prefix(""), 0u);
}

}  // namespace
}  // namespace allot
