// The labelled pairs and the public golds of ../shared/data, where that folder is at hand, and the
// committed inputs of the fuzzer.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "allot/tasks/math/testing/verdicts.h"

namespace allot::verify {
namespace {

using nlohmann::json;

struct Tally {
  int right = 0, missed = 0, false_positives = 0, faults = 0;
  int all() const { return right + missed + false_positives; }
};

Verdict verdict_of(const json& row) {
  const MathOptions options = testing::flexible();
  const Gold gold = prepare(row["gold"].get<std::string>(), options);
  const std::string pred = row["pred"].get<std::string>();
  return row.value("kind", "response") == "answer" ? equivalent(gold, pred, options)
                                                   : verify(gold, pred, options);
}

template <class Wanted>
Tally tally(std::ifstream& in, Wanted wanted) {
  Tally found;
  for (std::string line; std::getline(in, line);) {
    const json row = json::parse(line);
    if (!wanted(row)) continue;
    const Verdict verdict = verdict_of(row);
    found.faults += verdict.status == VerdictStatus::Fault ? 1 : 0;
    const bool expected = row["expected"].get<bool>();
    if (verdict.correct() == expected)
      ++found.right;
    else
      ++(expected ? found.missed : found.false_positives);
  }
  return found;
}

class ShippedData : public ::testing::Test {
 protected:
  std::ifstream open(const std::string& path) const {
    return std::ifstream(std::string(ALLOT_SOURCE_DIR) + "/../shared/data/" + path);
  }
};

// st0183 and st0184 take x > 1 and a > 1 for the same; here names that both sides give must agree
// (verifier, section 4, K14).
bool is_core(const json& row) {
  const std::string id = row["id"];
  return row["tier"] == "core" && id != "st0183" && id != "st0184";
}

TEST_F(ShippedData, CoreTierOfLabelledPairs) {
  Tally both;
  for (const char* path :
       {"verifier/verify_cases_dev.jsonl", "verifier/verify_cases_stack_dev.jsonl"}) {
    std::ifstream in = open(path);
    if (!in) GTEST_SKIP() << "../shared/data is not here";
    const Tally found = tally(in, is_core);
    EXPECT_EQ(found.false_positives, 0) << path;
    EXPECT_EQ(found.faults, 0) << path;
    EXPECT_GE(found.right, 0.96 * found.all()) << path << ": " << found.missed << " missed";
    both.right += found.right;
    both.missed += found.missed;
  }
  EXPECT_GE(both.right, 0.97 * both.all()) << both.missed << " missed";
}

TEST_F(ShippedData, Gsm8kLabelsOfRealOutputs) {
  std::ifstream in = open("verifier/verify_real_outputs_dev.jsonl");
  if (!in) GTEST_SKIP() << "../shared/data is not here";
  const Tally found = tally(in, [](const json& row) {
    const std::string source = row["source"];
    return source.find("openai") != std::string::npos || source.find("ToRA") != std::string::npos;
  });
  EXPECT_GT(found.all(), 2000);
  EXPECT_EQ(found.missed + found.false_positives, 0);
}

TEST_F(ShippedData, PublicGoldsCanBeReadAndEqualThemselves) {
  for (const char* path : {"math/math500.jsonl", "gsm8k/test.jsonl"}) {
    std::ifstream in = open(path);
    if (!in) GTEST_SKIP() << "../shared/data is not here";
    int all = 0, refused = 0;
    for (std::string line; std::getline(in, line); ++all) {
      std::string gold = json::parse(line)["answer"].get<std::string>();
      const std::size_t mark = gold.rfind("####");  // of GSM8K, behind a rationale
      if (mark != std::string::npos) gold.erase(0, mark + 4);
      const Gold prepared = prepare(gold, {});
      if (prepared.status() != VerdictStatus::Correct) {
        ++refused;
        continue;
      }
      EXPECT_TRUE(equivalent(prepared, gold, {}).correct()) << gold;
    }
    EXPECT_LE(refused, all / 100) << path;
  }
}

// An input is a gold, a zero byte and a response: fuzz/verify.cc.
TEST(FuzzCorpus, IsJudgedTheSameTwice) {
  std::size_t files = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(ALLOT_SOURCE_DIR "/fuzz/corpus/verify")) {
    std::ifstream in(entry.path(), std::ios::binary);
    const std::string input{std::istreambuf_iterator<char>(in), {}};
    const std::size_t cut = std::min(input.find('\0'), input.size());
    const std::string text = cut < input.size() ? input.substr(cut + 1) : input;
    const Gold gold = prepare(input.substr(0, cut), {});
    const Verdict first = verify(gold, text, testing::flexible());
    const Verdict second = verify(gold, text, testing::flexible());
    EXPECT_NE(first.status, VerdictStatus::Fault) << entry.path();
    EXPECT_EQ(first.status, second.status) << entry.path();
    EXPECT_EQ(first.steps, second.steps) << entry.path();
    ++files;
  }
  EXPECT_GT(files, 10U);
}

}  // namespace
}  // namespace allot::verify
