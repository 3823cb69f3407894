#include "allot/tasks/file_task.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "allot/core/error.h"
#include "allot/core/testing/temporary_folder.h"

namespace allot {
namespace {

namespace fs = std::filesystem;

const fs::path kShared = fs::path(ALLOT_SOURCE_DIR) / "../shared/data";

Rollout response(const PromptSet& prompts, std::size_t place, const std::string& text) {
  Rollout rollout;
  rollout.prompt = prompts.ids().at(place);
  rollout.text = text;
  return rollout;
}

TEST(HeldOut, IsJudgedByTheMathVerifierInBothProfiles) {
  const testing::TemporaryFolder folder;
  const fs::path file = folder / "held_out.jsonl";
  std::ofstream(file) << R"({"problem": "How many?", "answer": "72"})"
                      << "\n";
  TaskOptions options;
  options.columns.prompt = "of another file";
  options.jsonl.preset = PromptPreset::Math;
  HeldOutSet set = read_held_out({"one", file.string()}, options, 0);
  EXPECT_EQ(set.prompts->get(set.prompts->ids()[0]).text,
            "How many?\nPlease reason step by step, and put your final answer within \\boxed{}.");
  const std::vector<Rollout> rollouts = {response(*set.prompts, 0, "so \\boxed{72.0}"),
                                         response(*set.prompts, 0, "it may be 71 or 72")};
  const auto strict = set.verifier->score(rollouts, *set.prompts);
  const auto flexible = set.flexible->score(rollouts, *set.prompts);
  EXPECT_TRUE(strict[0].correct && flexible[0].correct);
  EXPECT_FALSE(strict[1].correct);
  EXPECT_TRUE(flexible[1].correct);
  options.jsonl.reward = Reward::Exact;
  options.jsonl.preset = PromptPreset::None;
  set = read_held_out({"one", file.string()}, options, 0);
  EXPECT_EQ(set.flexible, nullptr);
  EXPECT_FALSE(set.verifier->score(rollouts, *set.prompts)[0].correct);
}

// The benchmarks as they are published: how many problems each has, and that its own answers are
// right. Seven answers of Minerva and one of OlympiadBench the verifier cannot read.
TEST(HeldOut, ReadsTheBenchmarks) {
  struct Case {
    const char* file;
    std::size_t prompts;
  };
  for (const auto& [file, prompts] :
       {Case{"gsm8k/test.jsonl", 1319}, Case{"math/math500.jsonl", 500},
        Case{"eval/aime24/test.jsonl", 30}, Case{"eval/amc23/test.jsonl", 40},
        Case{"eval/minerva_math/test.jsonl", 265}, Case{"eval/olympiadbench/test.jsonl", 674}}) {
    if (!fs::exists(kShared / file)) GTEST_SKIP() << "no " << (kShared / file);
    const HeldOutSet set = read_held_out({"set", (kShared / file).string()}, {}, 0);
    EXPECT_EQ(set.prompts->size(), prompts) << file;
    std::vector<Rollout> rollouts;
    for (std::size_t i = 0; i < set.prompts->size(); ++i)
      rollouts.push_back(
          response(*set.prompts, i,
                   concat("\\boxed{", set.prompts->get(set.prompts->ids()[i]).answer, "}")));
    std::size_t right = 0;
    for (const Score& score : set.verifier->score(rollouts, *set.prompts)) right += score.correct;
    EXPECT_GE(right * 100, prompts * 99) << file;
  }
}

}  // namespace
}  // namespace allot
