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

}  // namespace
}  // namespace allot
