#include "allot/app/data_report.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "allot/core/error.h"

namespace allot {
namespace {

class DataReportTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / concat("data_report_", getpid());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
    return (folder_ / name).string();
  }

  std::filesystem::path folder_;
};

TEST_F(DataReportTest, CountsWhatCannotBeUsed) {
  DataCheck check;
  check.file = write("train.jsonl",
                     "{\"question\":\"How many?\",\"answer\":\"2 and 2\\n#### 4\",\"x\":1}\n"
                     "{\"question\":\"How many?\",\"answer\":\"2 and 2\\n#### 4\"}\n"
                     "{\"question\":\"How many?\",\"answer\":\"#### 5\"}\n"
                     "{\"question\":\"Which?\",\"answer\":\"#### ))((\"}\n"
                     "{\"question\":\"Why? Well, why not?\",\"answer\":\"\"}\n");
  check.against = write("eval.csv", "question,answer\nhow  many?,4\nWho?,Me\n");
  check.tokenizer = ALLOT_SOURCE_DIR "/src/allot/text/testing/tokenizers/llama3.json";
  check.max_prompt_tokens = 1;
  const DataReport report = check_data_set(check);
  const auto json = nlohmann::json::parse(report.json());
  EXPECT_EQ(json["rows"], 5);
  EXPECT_EQ(json["prompts"], 2);
  EXPECT_EQ(json["style"], "questions and answers");
  EXPECT_EQ(json["columns"]["prompt"], "question");
  EXPECT_EQ(json["ignored"], nlohmann::json({"x"}));
  EXPECT_EQ(json["verifier"], "math");
  EXPECT_EQ(json["repeated"]["count"], 1);
  EXPECT_EQ(json["empty"]["count"], 1);
  EXPECT_EQ(json["conflicting"]["count"], 1);
  EXPECT_EQ(json["bad_gold"]["count"], 1);
  EXPECT_EQ(json["prompt_tokens"]["overlong"], 2);
  EXPECT_EQ(json["against"]["overlap"], 1);
  const std::string text = report.text();
  for (const char* part : {"2 prompts from 5 rows of JSON lines", "prompt <- question",
                           "ignored columns: x", "line 2 repeats line 1", "lines 1 and 3",
                           "prompts of more than 1 tokens: 2", "1 are in it"})
    EXPECT_NE(text.find(part), std::string::npos) << part << " is not in\n" << text;
}

// The shipped sets: all answers of GSM8K and MATH-500 can be used, and MATH's training questions
// hold nine of its test questions.
TEST_F(DataReportTest, ReadsTheShippedSets) {
  const std::string data = ALLOT_SOURCE_DIR "/../shared/data/";
  if (!std::filesystem::exists(data)) GTEST_SKIP() << "needs ../shared/data";
  DataCheck check;
  check.file = data + "gsm8k/train.jsonl";
  check.against = data + "gsm8k/test.jsonl";
  const DataReport gsm8k = check_data_set(check);
  EXPECT_EQ(gsm8k.rows.prompts.size(), 7473u);
  EXPECT_EQ(gsm8k.rows.bad_gold.count, 0u) << gsm8k.rows.bad_gold.first;
  EXPECT_TRUE(gsm8k.by_math);
  check.file = data + "math/math_train_7474_problem_answer.jsonl";
  check.against = data + "math/math_test_5000.jsonl";
  EXPECT_EQ(check_data_set(check).leakage->keys.size(), 4u);
}

}  // namespace
}  // namespace allot
