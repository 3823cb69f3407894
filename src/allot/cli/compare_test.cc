// allot compare and allot ledger as a user meets them: seeds in processes, kills, grids, exports.
#include <regex>

#include "allot/cli/testing/program.h"

namespace allot {
namespace {

namespace fs = std::filesystem;
using testing::Ended;

class Comparing : public testing::Program {};

// Numbers of compare.json that may differ between two sessions: seconds, and the folder's name.
std::string without_seconds(std::string json) {
  for (const char* key : {"generate_s", "score_s", "train_s", "step_s", "common_seconds", "seconds",
                          "difference_at_seconds", "bootstrap_at_seconds", "title", "folder"})
    json = std::regex_replace(
        json, std::regex(std::string("\"") + key + R"("\s*:\s*(\{[^}]*\}|\[[^\]]*\]|[^,}\]\n]+))"),
        "");
  return json;
}

TEST_F(Comparing, SeedsInProcessesGiveTheSameComparison) {
  tiny();
  const std::string compare = "compare tiny.yaml --methods grpo,aero --seeds 2 ";
  const Ended one = run(compare + "--processes 1 --name one --quiet");
  ASSERT_EQ(one.code, 0) << one.out;
  const Ended two = run(compare + "--processes 2 --name two");
  ASSERT_EQ(two.code, 0) << two.out;
  EXPECT_NE(two.out.find("seed 1: done"), std::string::npos) << two.out;
  EXPECT_TRUE(fs::exists(folder_ / "runs/two/seed-1.log"));
  EXPECT_EQ(without_seconds(read("runs/one/compare.json")),
            without_seconds(read("runs/two/compare.json")));
  for (const char* file : {"compare.csv", "compare.md", "report.html"})
    EXPECT_TRUE(fs::exists(folder_ / "runs/two" / file)) << file;
}

TEST_F(Comparing, AKilledComparisonGoesOnWithTheSameCommand) {
  tiny();
  const std::vector<std::string> command = {
      "compare", "tiny.yaml",   "--methods", "grpo,aero", "--seeds",
      "2",       "--processes", "2",         "--set",     "checkpoint.every=1"};
  std::string line;
  for (const std::string& word : command) line += word + " ";
  ASSERT_EQ(run(line + "--name whole --quiet").code, 0);
  const pid_t child = start(command);
  EXPECT_TRUE(wait_until([&] { return fs::exists(folder_ / "runs/tiny/grpo-s1/latest"); }));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  // The processes of the seeds end with it, so that their folders are free again.
  Ended again;
  EXPECT_TRUE(wait_until([&] {
    again = run(line);
    return again.code == 0;
  })) << again.out;
  EXPECT_EQ(without_seconds(read("runs/tiny/compare.json")),
            without_seconds(read("runs/whole/compare.json")));
}

TEST_F(Comparing, AFailingSeedIsNamedWithItsReason) {
  tiny();
  fs::create_directories(folder_ / "runs/tiny/grpo-s1");
  write("runs/tiny/grpo-s1/run.sqlite", "this is no database, and long enough to be taken for one");
  const Ended ended = run("compare tiny.yaml --methods grpo --seeds 2 --processes 2");
  EXPECT_EQ(ended.code, 4) << ended.out;
  EXPECT_NE(ended.out.find("seed 1 failed: allot: ["), std::string::npos) << ended.out;
}

TEST_F(Comparing, AGridIsComparedArmByArm) {
  tiny();
  const Ended ended = run(
      "compare tiny.yaml --methods grpo --grid alloc.group_size='2|4' --equal rollouts --csv c.csv "
      "--markdown c.md");
  EXPECT_EQ(ended.code, 0) << ended.out;
  EXPECT_NE(ended.out.find("grpo-group_size=4"), std::string::npos) << ended.out;
  EXPECT_TRUE(fs::exists(folder_ / "runs/tiny/grpo-group_size=2-s0/run.sqlite"));
  EXPECT_NE(read("c.csv").find("grpo-group_size=2,grpo,0,finished,3,"), std::string::npos);
  EXPECT_NE(read("c.md").find("| method |"), std::string::npos);
  expect("compare tiny.yaml --grid alloc.group_size", 2, "key=value|value is needed");
  expect("compare tiny.yaml --grid model.dim='16|32'", 2, "the same for all");
  expect("compare tiny.yaml --methods grpo,dapo --equal seconds --name s --quiet", 0, "report:");
}

TEST_F(Comparing, TheLedgerAgreesWithTheMetrics) {
  tiny();
  ASSERT_EQ(run("train tiny.yaml --quiet --set train.max_steps=8").code, 0);
  const std::string metrics = read("runs/tiny/metrics.jsonl");
  const Ended json = run("ledger runs/tiny --json");
  ASSERT_EQ(json.code, 0) << json.out;
  for (const char* state : {"dead", "mixed", "solved", "unseen"}) {
    const std::string key = std::string("\"ledger/") + state + "\":";
    const std::size_t at = metrics.rfind(key);
    ASSERT_NE(at, std::string::npos) << state;
    const int logged = std::atoi(metrics.c_str() + at + key.size());
    const std::string counted = std::string("\"") + state + "\":" + std::to_string(logged);
    EXPECT_NE(json.out.find(counted), std::string::npos) << counted << "\n" << json.out;
  }
  expect("ledger runs/tiny", 0, "40 prompts after 8 steps:");
  expect("ledger runs/tiny --unseen --csv l.csv --limit 1", 0, "prompts after");
  EXPECT_EQ(read("l.csv").rfind("key,state,", 0), 0u);
  expect("ledger runs/tiny --key nobody", 3, "nobody");
  expect("ledger nowhere", 4, "there is no run here");
  expect("ledger runs/tiny --verdicts 0", 2, "verdicts");
}

}  // namespace
}  // namespace allot
