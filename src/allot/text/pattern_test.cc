#include "allot/text/pattern.h"

#include <fstream>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "allot/core/durable_file.h"
#include "allot/core/error.h"
#include "allot/text/pre_tokenizer.h"

namespace allot {
namespace {

using Words = std::vector<std::string>;

constexpr const char* kLlama3Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

Words words(const PreTokenizer& steps, const std::string& text) {
  Words found;
  Cutter(steps).cut(text, [&](std::string_view word) { found.emplace_back(word); });
  return found;
}

PreTokenizer one(const char* regex, Split::Drops drops = Split::Drops::Nothing) {
  PreTokenizer steps;
  steps.emplace_back(Split{Pattern(regex), drops});
  return steps;
}

TEST(Pattern, CutsAsTheFamiliesDo) {
  EXPECT_EQ(words(one(kGpt2Pattern), "I'm 123 ok..\n\n x"),
            (Words{"I", "'m", " 123", " ok", "..", "\n\n", " x"}));
  EXPECT_EQ(words(one(kQwen2Pattern), "I'M 12 ok..\n\n  x"),
            (Words{"I", "'M", " ", "1", "2", " ok", "..\n\n", " ", " x"}));
  EXPECT_EQ(words(one(kLlama3Pattern), "1234 a"), (Words{"123", "4", " a"}));
}

TEST(Pattern, CutsThePublishedCases) {
  const std::string file = ALLOT_SOURCE_DIR "/../shared/data/tokenizers/pretokenizer_cases.json";
  if (!std::ifstream(file)) GTEST_SKIP() << "needs ../shared/data/tokenizers";
  const nlohmann::json cases = nlohmann::json::parse(read_file(file));
  ASSERT_EQ(cases["pattern"], "llama3");
  ASSERT_FALSE(cases["cases"].empty());
  for (const auto& [text, expected] : cases["cases"].items())
    EXPECT_EQ(words(one(kLlama3Pattern), text), expected.get<Words>()) << text;
}

// U+180E is no white space since Unicode 6.3, and U+0085 is.
TEST(Pattern, KnowsUnicodesWhiteSpace) {
  EXPECT_EQ(words(one("\\s+"), "a\u0085\u2003b\u180ec"), (Words{"a", "\u0085\u2003", "b\u180ec"}));
  EXPECT_EQ(words(one("\\S+"), "a\u3000b\u180e"), (Words{"a", "\u3000", "b\u180e"}));
}

TEST(Pattern, DropsWhatIsAskedFor) {
  EXPECT_EQ(words(one("-", Split::Drops::Matches), "a--b-"), (Words{"a", "b"}));
  EXPECT_EQ(words(one("[a-z]", Split::Drops::Gaps), "a--b-"), (Words{"a", "b"}));
  PreTokenizer literal;
  literal.emplace_back(Split{Pattern::literal("a.b")});
  EXPECT_EQ(words(literal, "xa.bacb"), (Words{"x", "a.b", "acb"}));
}

TEST(Pattern, CutsAtMatchesOfNoLength) {
  EXPECT_EQ(words(one("(?=b)"), "abab\u00e9b"), (Words{"a", "ba", "b\u00e9", "b"}));
  EXPECT_EQ(words(one("x*"), "ab"), (Words{"a", "b"}));
}

TEST(Pattern, AppliesStepsInTurn) {
  PreTokenizer steps = one("\\p{N}");
  steps.emplace_back(PrefixSpace{});
  steps.emplace_back(Split{Pattern("[a-z]+")});
  EXPECT_EQ(words(steps, "ab1 c"), (Words{" ", "ab", " 1", " ", "c"}));
}

TEST(Pattern, RefusesWhatEnginesReadDifferently) {
  for (const char* regex :
       {"",      "\\w+",   "\\bx",       "\\h",     "^a",  "a$",  "[a[b]]",        "[a&&b]",
        "[\\S]", "(?x:a)", "(?<name>a)", "(*FAIL)", "[ab", "a\\", "\\p{Nonsense}", "\\pL",
        "(a",    "\\1",    "\\x{41}",    "[]a]"}) {
    try {
      const Pattern pattern(regex);
      ADD_FAILURE() << "no error for " << regex;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Model) << regex;
    }
  }
}

TEST(Pattern, GivesUpWhereSearchingExplodes) {
  try {
    words(one("(?:a+a+)+(?=b|c)"), std::string(200, 'a'));
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Data);
  }
}

}  // namespace
}  // namespace allot
