#include "allot/app/verify_answers.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "allot/core/error.h"

namespace allot {
namespace {

using nlohmann::json;

TEST(VerifyAnswers, OneLinePerPair) {
  const std::vector<std::string> lines = verify_lines(
      R"({"gold": "0.5", "pred": "so \\boxed{\\frac12}"}

{"gold": ["1", "2"], "pred": 2, "kind": "answer"}
{"gold": "5", "pred": "I cannot say what it is, and there is nothing more that I could add", "id": 7}
)",
      "pairs", {});
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(json::parse(lines[0]), json::parse(R"({"correct": true, "status": "correct",
      "tier": "T1", "answer": "\\frac12", "flags": []})"));
  EXPECT_EQ(json::parse(lines[1])["correct"], true);
  EXPECT_EQ(json::parse(lines[2]), json::parse(R"({"correct": false, "status": "no_answer",
      "tier": null, "answer": "", "flags": []})"));
}

TEST(VerifyAnswers, FlagsAndAnUnusableReferenceAreNamed) {
  const json percent = json::parse(verify_pair({"50"}, "50%", "answer", {}).json());
  EXPECT_EQ(percent["flags"], json::parse(R"(["lenient_K1"])")) << percent;
  const json gold = json::parse(verify_pair({""}, "1", "answer", {}).json());
  EXPECT_FALSE(gold["problem"].get<std::string>().empty()) << gold;
  EXPECT_FALSE(percent.contains("problem"));
}

TEST(VerifyAnswers, RefusesBrokenLines) {
  for (const char* line : {"{", "[]", R"({"gold": "1"})", R"({"gold": {}, "pred": "1"})",
                           R"({"gold": "1", "pred": "1", "kind": "text"})"})
    EXPECT_THROW(verify_lines(line, "pairs", {}), Error) << line;
}

}  // namespace
}  // namespace allot
