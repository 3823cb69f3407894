#include "allot/app/tokenize_lines.h"

#include <gtest/gtest.h>

#include "allot/core/error.h"

namespace allot {
namespace {

const std::string kLlamaTokenizer =
    ALLOT_SOURCE_DIR "/src/allot/text/testing/tokenizers/llama3.json";

TEST(TokenizeLines, GivesIdsLineByLine) {
  const auto lines = tokenize_lines(
      "{\"text\": \"<|end|>\"}\n\n{\"text\": \"<|end|>\", \"parse_special\": false}\r\n"
      "{\"text\": \"\"}",
      "in.jsonl", kLlamaTokenizer);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0], R"({"ids":[521]})");
  EXPECT_NE(lines[1], lines[0]);
  EXPECT_EQ(lines[2], R"({"ids":[]})");
}

TEST(TokenizeLines, NamesTheBrokenLine) {
  for (const char* line :
       {"[]", "{", "{}", "{\"text\":3}", "{\"text\":\"a\",\"parse_special\":1}"}) {
    try {
      tokenize_lines(std::string("\n") + line, "in.jsonl", kLlamaTokenizer);
      ADD_FAILURE() << "no error for " << line;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Data);
      EXPECT_NE(std::string(error.what()).find("in.jsonl:2"), std::string::npos) << error.what();
    }
  }
  EXPECT_THROW(tokenize_lines("", "in.jsonl", "/nonexistent"), Error);
}

}  // namespace
}  // namespace allot
