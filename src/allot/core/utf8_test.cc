#include "allot/core/utf8.h"

#include <string>

#include <gtest/gtest.h>

namespace allot {
namespace {

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
      if (expected != text.size()) continue;
      ASSERT_EQ(utf8_code_point(std::string_view(text).substr(2)), code);
      std::string again = "ab";
      append_utf8(again, code);
      ASSERT_EQ(again, text);
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

TEST(Utf8, CountsAndCutsBetweenCharacters) {
  const std::string text = "a\u00e9\u20ac\U0001F600";  // of 1, 2, 3 and 4 bytes
  EXPECT_EQ(character_count(text), 4u);
  const std::size_t begins[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6};
  for (std::size_t at = 0; at < text.size(); ++at) EXPECT_EQ(character_begin(text, at), begins[at]);
  EXPECT_EQ(character_begin("\x80\x80", 1), 0u);
  EXPECT_EQ(character_count("\x80\xFFz"), 2u);
  EXPECT_EQ(shortened(text, 4), "a\u00e9...");
  EXPECT_EQ(shortened("two\nlines\t", 20), "two lines ");
}

}  // namespace
}  // namespace allot
