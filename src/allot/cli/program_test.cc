// The program as a user meets it: exit codes, error messages, interrupts, restarts.
#include "allot/cli/testing/program.h"

#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

namespace allot {
namespace {

namespace fs = std::filesystem;
using testing::Ended;
using testing::quoted;

class Program : public testing::Program {};

TEST_F(Program, WrongInputsAreRefusedWithTheirExitCode) {
  tiny();
  expect("", 2, "subcommand is required");
  expect("trian x", 2, "did you mean 'train'?");
  expect("train tiny.yaml --set alloc.group_sise=3", 2, "did you mean 'alloc.group_size'?");
  expect("train tiny.yaml --set alloc.group_size=0", 2, "1 .. 65536");
  expect("train tiny.yaml --set alloc.method=gpro", 2, "grpo");
  expect("train tiny.yaml --num_generation 4", 2, "num_generation");
  expect("train missing.yaml", 2, "not found");
  expect("train", 2, "a file or flags are needed");
  expect("train tiny.yaml --set data.task=jsonl --set data.train=missing.jsonl", 3,
         "missing.jsonl");
  write("broken.jsonl", "{\"prompt\": \"1+1=\", \"answer\": \"2\"}\n{\"prompt\": \n");
  expect("train tiny.yaml --set data.task=jsonl --set data.train=broken.jsonl", 3,
         "broken.jsonl:2");
  write("small.jsonl",
        "{\"prompt\": \"1+1=\", \"answer\": \"2\"}\n{\"prompt\": \"2+1=\", \"answer\": "
        "\"3\"}\n{\"prompt\": \"3+1111111111111=\", \"answer\": \"4\"}\n");
  const std::string small =
      "train tiny.yaml --set data.task=jsonl --set data.train=small.jsonl --set "
      "data.eval=small.jsonl --set data.overlong=error --set warm_start.steps=0";
  expect(small + " --set train.prompts_per_step=4", 3, "there are 3 training prompts");
  expect(small + " --set model.context=12", 3, "1 of 3 prompts are too long");
  expect("train tiny.yaml --set model.context=6", 3, "context");
  expect("eval tiny.yaml --checkpoint nowhere", 4, "nowhere");
  expect("report nowhere", 4, "no run was found");
  expect("replay missing.jsonl --method grpo", 3, "not found");
  expect("objective missing.jsonl", 3, "not found");
  write("step.jsonl", "{\"logprobs\": [[-1]], \"external_advantage\": [1]}\n");
  expect("objective step.jsonl --preset gpso", 2, "did you mean 'gspo'?");
  expect("objective step.jsonl --preset tis", 3, "step.jsonl:1");
  expect("train tiny.yaml --set loss.preset=capo", 2, "loss.curvature.lr");
  expect("train tiny.yaml --set alloc.method=aero --set adv.unit=token", 2, "adv.unit");
  EXPECT_FALSE(fs::exists(folder_ / "runs" / "tiny" / "run.sqlite"));  // nothing half-written
}

TEST_F(Program, TakesACommandLineOfTrlWithoutAFile) {
  std::string rows;
  for (int i = 0; i < 20; ++i)
    rows += "{\"prompt\": \"" + std::to_string(i) + "+1=\", \"answer\": \"" +
            std::to_string(i + 1) + "\"}\n";
  write("sums.jsonl", rows);
  const Ended ended = run(
      "train --dataset_name sums.jsonl --num_generations 4 --per_device_train_batch_size 8 "
      "--log_completions --max_completion_length 4 --learning_rate 1e-4 --beta 0.0 --max_steps 2 "
      "--output_dir out --warm_start.steps 0 --model.dim 16 --model.heads 2 --model.kv_heads 1 "
      "--quiet");
  EXPECT_EQ(ended.code, 0) << ended.out;
  EXPECT_TRUE(fs::exists(folder_ / "out" / "run" / "checkpoint-2" / "COMPLETE")) << ended.out;
}

TEST_F(Program, AnswersInBracketsAreSingleArguments) {
  expect("verify --gold '[0,1]' --pred '[0,1]' --kind answer", 0, "correct");
  expect("verify --gold '[0,1]' --pred 0 --kind answer", 0, "wrong");
  expect("verify --gold '[0,1]\\cup[2,3]' --pred '[2,3]\\cup[0,1]' --kind answer", 0, "correct");
  expect("verify --gold 3 --gold '[0,1]' --pred '[0, 1]' --kind answer", 0, "correct");
}

TEST_F(Program, ComputesALossOfGivenNumbers) {
  write("step.jsonl", "{\"logprobs\": [[-1, -2]], \"external_advantage\": [3]}\n");
  expect("objective step.jsonl --preset gspo", 0, "\"grad\":[[-1.5,-1.5]]");
}

TEST_F(Program, TrainsEvaluatesReportsAndKnowsWhenItIsDone) {
  tiny();
  expect("train tiny.yaml", 0, "report: runs/tiny/report.html");
  EXPECT_TRUE(fs::exists(folder_ / "runs/tiny/report.html"));
  EXPECT_TRUE(fs::exists(folder_ / "runs/tiny/checkpoint-3/COMPLETE"));
  expect("train tiny.yaml", 0, "is finished already");
  expect("eval tiny.yaml --checkpoint runs/tiny", 0, "pass@1");
  expect("eval tiny.yaml --checkpoint runs/tiny/checkpoint-3 --json", 0, "\"pass@1\":");
  write("sums.jsonl", "{\"problem\": \"1+1=\", \"answer\": \"2\"}\n");
  const std::string sets = "eval tiny.yaml --checkpoint runs/tiny --only_sets";
  const Ended only = run(sets + " --set eval.sets=[sums.jsonl]");
  EXPECT_EQ(only.code, 0) << only.out;
  EXPECT_NE(only.out.find("sums"), std::string::npos) << only.out;
  EXPECT_EQ(only.out.find("held-out prompts, "), std::string::npos) << only.out;
  expect(sets, 2, "eval.sets is empty");
  expect("report runs/tiny --out r.html", 0, "report: r.html");
  expect("train tiny.yaml --set alloc.method=aero", 4, "alloc.method: grpo -> aero");
  expect("train tiny.yaml --fresh --quiet", 0, "runs/tiny-2/report.html");
  expect("train tiny.yaml --set train.max_steps=5", 0, "report:");  // a longer run goes on
  EXPECT_TRUE(fs::exists(folder_ / "runs/tiny/checkpoint-5/COMPLETE"));
}

TEST_F(Program, WithoutATerminalThereAreOnlyPlainLines) {
  tiny();
  const Ended ended = run("train tiny.yaml");
  EXPECT_EQ(ended.out.find('\r'), std::string::npos);
  EXPECT_EQ(ended.out.find('\x1b'), std::string::npos);
  for (const char* step : {"step    1/3", "step    2/3", "step    3/3"})
    EXPECT_NE(ended.out.find(step), std::string::npos) << ended.out;
}

TEST_F(Program, ComparesMethodsAndContinuesAComparison) {
  tiny();
  expect("compare tiny.yaml --methods grpo,aero --seeds 2", 0, "report: runs/tiny/report.html");
  for (const char* run : {"grpo-s0", "grpo-s1", "aero-s0", "aero-s1"})
    EXPECT_TRUE(fs::exists(folder_ / "runs/tiny" / run / "run.sqlite")) << run;
  EXPECT_TRUE(fs::exists(folder_ / "runs/tiny/compare.json"));
  expect("compare tiny.yaml --methods grpo,aero --seeds 2", 0, "report:");
  expect("compare tiny.yaml --methods grpo,aero --set_for aero:optim.lr=0.5", 4, "optim.lr");
  expect(
      "compare tiny.yaml --methods grpo,aero --name own --set_for aero:optim.lr=0.5 "
      "--set_for aero:alloc.group_size=4",
      0, "report:");
  std::ifstream expanded(folder_ / "runs/own/aero-s0/config.expanded.yaml");
  const std::string text{std::istreambuf_iterator<char>(expanded), {}};
  EXPECT_NE(text.find("lr: 0.5"), std::string::npos);
  EXPECT_NE(text.find("group_size: 4"), std::string::npos);
}

TEST_F(Program, AResumedRunHasTheSameBitsAlsoWithOneWorker) {
  learning();
  for (const std::string method : {"grpo", "dapo", "aero"}) {
    const std::string train =
        "train learning.yaml --quiet --set alloc.method=" + method + " --name " + method;
    ASSERT_EQ(run(train + "-whole").code, 0);
    ASSERT_EQ(run(train + "-parts --set train.max_steps=2").code, 0);
    EXPECT_NE(read("runs/" + method + "-whole/checkpoint-6/model.safetensors"),
              read("runs/" + method + "-parts/checkpoint-2/model.safetensors"));
    ASSERT_EQ(run(train + "-parts --set train.workers=1 --set rollout.workers=1").code, 0);
    for (const char* file : {"model.safetensors", "optimizer.safetensors", "cursor.bin"})
      EXPECT_EQ(read("runs/" + method + "-whole/checkpoint-6/" + file),
                read("runs/" + method + "-parts/checkpoint-6/" + file))
          << method << ' ' << file;
  }
}

TEST_F(Program, SimulatesWithoutAModel) {
  expect("simulate --pool hard,solved --methods aero,evidence --seeds 2 --budget 4000", 0,
         "report: runs/simulate/solved/report.html");
  EXPECT_TRUE(fs::exists(folder_ / "runs/simulate/hard/compare.json"));
  expect("simulate --seeds 1 --budget 2000 --methods evidence --json --quiet", 0,
         "\"units_to_grpo\"");
  expect("simulate --pool hrad", 2, "did you mean 'hard'?");
  expect("simulate --methods erpo", 2, "did you mean 'grpo'?");
  expect("simulate --set alloc.evidence.n_max=1 --methods evidence", 2, "alloc.evidence.n_max");
}

TEST_F(Program, LooksWithoutRunning) {
  expect("--help", 0, "allot compare examples/quickstart.yaml");
  expect("--version", 0, ".");
  expect("methods", 0, "aero");
  expect("methods aero", 0, "alloc.aero.explore");
  expect("methods --json", 0, "{\"methods\":[");
  expect("methods --scale", 0, "leave-one-out (RLOO)");
  expect("methods --scale --json", 0, "{\"rates\":[0.03,");
  expect("config " + tiny(), 0, "group_size: 4  # tiny.yaml:4");
  expect("config tiny.yaml --json", 0, "\"key\":\"alloc.method\"");
  expect("doctor", 0, "libtorch");
}

TEST_F(Program, DoctorAsksThePythonItIsGiven) {
  write("python", "#!/bin/sh\necho /made/up/python\necho trl 1.16.0\necho torch 1.4.0\n");
  fs::permissions(folder_ / "python", fs::perms::owner_all);
  const std::string with = "ALLOT_PYTHON=" + quoted((folder_ / "python").string());
  const std::string text = run("doctor", with).out;
  EXPECT_NE(text.find("/made/up/python\n"), std::string::npos) << text;
  EXPECT_NE(text.find("1.16.0"), std::string::npos) << text;
  EXPECT_NE(text.find("outside the tested range"), std::string::npos) << text;
  const std::string json = run("doctor --json", with).out;
  EXPECT_NE(json.find("\"found\":\"1.16.0\""), std::string::npos) << json;
  for (const char* without :
       {"ALLOT_PYTHON=missing", "PATH=empty ALLOT_PYTHON=", "ALLOT_PYTHON=/bin/false"}) {
    const Ended ended = run("doctor", without);
    EXPECT_EQ(ended.code, 0) << without;
    EXPECT_NE(ended.out.find("not looked for: "), std::string::npos) << without << ended.out;
  }
}

TEST_F(Program, AnInterruptLeavesACheckpointAndARestartContinues) {
  const pid_t child = start_long_run();
  ::kill(child, SIGINT);
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 6) << read("log.txt");
  EXPECT_TRUE(fs::exists(folder_ / "runs/tiny/latest"));
  const Ended again = run("train tiny.yaml --set eval.every=0");  // max_steps 3: already beyond
  EXPECT_EQ(again.code, 0) << again.out;
  EXPECT_NE(again.out.find("continued after step"), std::string::npos) << again.out;
}

TEST_F(Program, ASecondInterruptEndsAtOnceAndTheFolderStillOpens) {
  const pid_t child = start_long_run();
  ::kill(child, SIGINT);
  ::kill(child, SIGINT);
  int status = 0;
  ::waitpid(child, &status, 0);
  expect("report runs/tiny --out r.html", 0, "report: r.html");
}

}  // namespace
}  // namespace allot
