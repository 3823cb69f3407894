// What a run promises, as the program keeps it: damaged and full disks, what is refused on resume,
// what is logged, and what ends a run. Source: conventions, sections 5, 6, 8 and 13.
#include <algorithm>
#include <set>

#include <sys/mount.h>

#include "allot/cli/testing/program.h"
#include "allot/core/durable_file.h"
#include "allot/store/checkpoint.h"
#include "allot/store/metrics_log.h"
#include "allot/store/sqlite.h"
#include "allot/store/testing/table_dump.h"

namespace allot {
namespace {

namespace fs = std::filesystem;
using testing::Ended;

class Trust : public testing::Program {
 protected:
  // Prompts that the untrained model never answers.
  void hopeless() const {
    std::string rows;
    for (int i = 0; i < 12; ++i)
      rows += concat(R"({"id": "row-)", i, R"(", "prompt": "say )", i, R"(=", "answer": ")", i,
                     R"(zyxwvutsrqponm"})", "\n");
    write("hopeless.jsonl", rows);
    write("hopeless.yaml",
          "data: {task: jsonl, train: hopeless.jsonl, eval: hopeless.jsonl}\n"
          "model: {dim: 16, layers: 1, heads: 2, kv_heads: 1, ffn: 32}\n"
          "warm_start: {steps: 0}\nalloc: {group_size: 4}\neval: {every: 0}\n"
          "train: {prompts_per_step: 6, max_steps: 5}\noptim: {lr: 1.0e-2, weight_decay: 0.1}\n"
          "checkpoint: {every: 1, keep: 9}\n");
  }
  // Of the run `NAME`, with the settings.
  std::set<std::string> names_of_run(const std::string& name, const std::string& settings) const {
    const Ended ended = run("train learning.yaml --quiet --name " + name + settings);
    EXPECT_EQ(ended.code, 0) << ended.out;
    return logged_names(fs::path("runs") / name);
  }
  std::set<std::string> logged_names(const fs::path& run) const {
    std::set<std::string> names;
    for (const MetricsLine& line : read_metrics_log(folder_ / run / "metrics.jsonl"))
      for (const Metric& metric : line.metrics) names.insert(metric.name);
    return names;
  }
};

TEST_F(Trust, ADamagedCheckpointIsPassedOverForTheOneBefore) {
  tiny();
  const std::string train = "train tiny.yaml --set checkpoint.every=1 --set train.max_steps=4";
  ASSERT_EQ(run(train + " --name whole").code, 0);
  ASSERT_EQ(run(train + " --name hurt --set train.max_steps=3").code, 0);
  const fs::path weights = folder_ / "runs/hurt/checkpoint-3/model.safetensors";
  std::string bytes = read_file(weights);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 4);
  write_synced_file(weights, bytes);
  const Ended ended = run(train + " --name hurt");
  EXPECT_EQ(ended.code, 0) << ended.out;
  EXPECT_NE(ended.out.find("checkpoint-3 is skipped: its file model.safetensors is damaged"),
            std::string::npos)
      << ended.out;
  // The prompts that were named are those that came.
  const SqliteConnection db = SqliteConnection::open_for_reading(folder_ / "runs/hurt/run.sqlite");
  SqliteStatement rows = db.prepare(
      "SELECT key FROM decisions JOIN prompts ON id = prompt WHERE step = 2 AND kind = 'request' "
      "ORDER BY position LIMIT 3");
  std::string next;
  while (rows.next()) next += (next.empty() ? "" : ", ") + rows.text(0);
  EXPECT_NE(ended.out.find("continued after step 2; next prompts: " + next + "\n"),
            std::string::npos)
      << next << "\n"
      << ended.out;
  for (const char* file : {"model.safetensors", "optimizer.safetensors", "controller.bin"})
    EXPECT_EQ(read(fs::path("runs/hurt/checkpoint-4") / file),
              read(fs::path("runs/whole/checkpoint-4") / file));
  expect(train + " --name other --set checkpoint.resume=runs/hurt/checkpoint-9", 4, "no such");
}

TEST_F(Trust, ADamagedDatabaseStopsTheRunAndCheckpointsStay) {
  tiny();
  const std::string train = "train tiny.yaml --set checkpoint.every=1";
  ASSERT_EQ(run(train).code, 0);
  const std::string database = read("runs/tiny/run.sqlite");
  std::string hurt = database;
  for (std::size_t i = 4096; i + 8 < hurt.size(); i += 4096) hurt[i] = '\x77';  // page types
  write_synced_file(folder_ / "runs/tiny/run.sqlite", hurt);
  expect(train + " --set train.max_steps=5", 4, "run.sqlite");
  EXPECT_EQ(open_checkpoint(folder_ / "runs/tiny/checkpoint-3").step, 3u);
  fs::remove(folder_ / "runs/tiny/run.sqlite");
  for (const char* more : {"-wal", "-shm"})
    fs::remove(folder_ / concat("runs/tiny/run.sqlite", more));
  expect(train + " --set train.max_steps=5", 0, "steps before this point are not in run.sqlite");
}

// The run folder is on a small file system of its own, which needs root.
TEST_F(Trust, AFullDiskKeepsTheCheckpointBefore) {
  fs::create_directory(folder_ / "small");
  if (::mount("tmpfs", (folder_ / "small").c_str(), "tmpfs", 0, "size=12m") != 0)
    GTEST_SKIP() << "no file system can be mounted here";
  struct Unmount {
    fs::path path;
    ~Unmount() { ::umount2(path.c_str(), MNT_DETACH); }
  } unmount{folder_ / "small"};
  tiny();
  // A model whose checkpoint is larger than the room left, beside a history that fits.
  const std::string train =
      "train tiny.yaml --set train.output=small --set model.dim=128 --set model.ffn=256 --set "
      "checkpoint.every=2 --set eval.every=0 --set train.max_steps=";
  const Ended first = run(train + "2");
  ASSERT_EQ(first.code, 0) << first.out;
  const auto room = fs::space(folder_ / "small").available;
  ASSERT_GT(room, std::uintmax_t{600} << 10);
  write("small/filler", std::string(room - (500 << 10), 'x'));
  const Ended full = run(train + "6");
  EXPECT_EQ(full.code, 4) << full.out;
  EXPECT_NE(full.out.find("No space left"), std::string::npos) << full.out;
  EXPECT_EQ(open_checkpoint(folder_ / "small/tiny/checkpoint-2").step, 2u);
  EXPECT_EQ(read("small/tiny/latest"), "checkpoint-2\n");
  fs::remove(folder_ / "small/filler");
  expect(train + "6", 0, "continued after step 2");
}

TEST_F(Trust, AFolderThatCannotBeWrittenIsRefused) {
  fs::create_directory(folder_ / "locked");
  if (::mount("tmpfs", (folder_ / "locked").c_str(), "tmpfs", MS_RDONLY, "size=1m") != 0)
    GTEST_SKIP() << "no file system can be mounted here";
  struct Unmount {
    fs::path path;
    ~Unmount() { ::umount2(path.c_str(), MNT_DETACH); }
  } unmount{folder_ / "locked"};
  tiny();
  expect("train tiny.yaml --set warm_start.steps=0 --set train.output=locked", 4,
         "Read-only file system");
}

TEST_F(Trust, TwoProcessesNeverWriteOneRun) {
  const pid_t child = start_long_run();
  expect("train tiny.yaml --set eval.every=0", 4, "another process is writing this run");
  ::kill(child, SIGTERM);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 6);
}

TEST_F(Trust, AResumeListsEveryDifference) {
  tiny();
  ASSERT_EQ(run("train tiny.yaml").code, 0);
  const Ended ended =
      run("train tiny.yaml --set alloc.method=dapo --set alloc.budget.rollouts=16 "
          "--set data.digit_sort.train=41 --set train.max_steps=5");
  EXPECT_EQ(ended.code, 4);
  for (const char* part : {"alloc.method: grpo -> dapo", "alloc.budget.rollouts: 0 -> 16",
                           "data.digit_sort.train: 40 -> 41", "training data: 40 prompts, hash "})
    EXPECT_NE(ended.out.find(part), std::string::npos) << part << "\n" << ended.out;
  expect("train tiny.yaml --set optim.schedule=linear --set train.max_steps=5", 4,
         "optim.schedule: constant -> linear");
  expect(
      "train tiny.yaml --set optim.lr=0.5 --set train.max_steps=4 "
      "--set checkpoint.allow_changes=[optim]",
      0, "continued after step 3");
}

TEST_F(Trust, AVerifierThatJudgesOtherwiseIsNamed) {
  tiny();
  ASSERT_EQ(run("train tiny.yaml").code, 0);
  SqliteConnection::open_for_writing(folder_ / "runs/tiny/run.sqlite")
      .execute("UPDATE run SET value = '0' WHERE key = 'verifier/version'");
  expect("train tiny.yaml --set train.max_steps=5", 4, "verifier: version 0 -> 1");
  expect("train tiny.yaml --set train.max_steps=5 --set checkpoint.allow_changes=[verifier]", 0,
         "continued after step 3");
}

TEST_F(Trust, TheConfigurationsOfTwoRunsAreCompared) {
  tiny();
  ASSERT_EQ(run("train tiny.yaml --quiet --name a").code, 0);
  ASSERT_EQ(run("train tiny.yaml --quiet --name b --num_generations 8 --set optim.lr=0.5").code, 0);
  const Ended ended = run("config runs/a --diff runs/b");
  EXPECT_EQ(ended.code, 0);
  EXPECT_EQ(ended.out, "alloc.group_size: 4 -> 8\noptim.lr: 0.001 -> 0.5\n");
  EXPECT_EQ(run("config runs/a --diff runs/a").out, "no differences\n");
  expect("config tiny.yaml --diff runs/b --json", 0,
         R"({"key":"alloc.group_size","before":"4","after":"8"})");
}

TEST_F(Trust, ADryRunShowsThePlanAndLeavesNothing) {
  tiny();
  const Ended ended = run("train tiny.yaml --dry-run --set alloc.method=aero");
  EXPECT_EQ(ended.code, 0) << ended.out;
  for (const char* part : {"nothing was generated", "aero", "40 training prompts, 20 held out",
                           "8 prompts x 4 = 32 rollouts a step", "16 in the first round, 2 to 2",
                           "at the peak", "activations ", "keys, values and scratch "})
    EXPECT_NE(ended.out.find(part), std::string::npos) << part << "\n" << ended.out;
  EXPECT_FALSE(fs::exists(folder_ / "runs"));
  expect("train tiny.yaml --dry-run --json", 0, R"("rollouts":32)");
  expect("train tiny.yaml --dry-run --set loss.clip_low=0.0003", 0,
         "warning   loss.clip_low = 0.0003");
  expect("train tiny.yaml --dry-run --per_device_train_batch_size 30", 2,
         "30 rollouts per step (per_device_train_batch_size 30 x 1 steps) are not divisible by "
         "num_generations 4");
}

TEST_F(Trust, DataWithoutSignalLeavesTheWeightsAsTheyWere) {
  hopeless();
  const Ended ended = run("train hopeless.yaml --set health.warn_every=3");
  ASSERT_EQ(ended.code, 0) << ended.out;
  EXPECT_NE(ended.out.find("of the prompts carry no signal ("), std::string::npos) << ended.out;
  EXPECT_NE(ended.out.find("for 3 steps more than 50 % of the groups carried no signal"),
            std::string::npos)
      << ended.out;
  const std::string first = read("runs/hopeless/checkpoint-1/model.safetensors");
  EXPECT_GT(first.size(), 1000u);
  EXPECT_EQ(read("runs/hopeless/checkpoint-5/model.safetensors"), first);
}

TEST_F(Trust, AHealthRuleEndsTheRunWithItsOwnCode) {
  hopeless();
  expect("train hopeless.yaml --set health.stop_after=2 --set checkpoint.every=0", 7,
         "no prompt carried signal for 2 steps, which ends the run (health.stop_after)");
  EXPECT_EQ(open_checkpoint(folder_ / "runs/hopeless/checkpoint-2").step, 2u);
  const SqliteConnection db =
      SqliteConnection::open_for_reading(folder_ / "runs/hopeless/run.sqlite");
  EXPECT_EQ(db.integer("SELECT count(*) FROM run WHERE key = 'status' AND value = 'stopped'"), 1);
  expect("train hopeless.yaml --set train.max_steps=3", 0, "continued after step 2");
}

TEST_F(Trust, EveryMetricThatAppliesIsLogged) {
  learning();
  const std::set<std::string> names =
      names_of_run("learning", " --set eval.group_size=2 --set eval.k=[1,2]");
  for (const char* name :
       {"reward/first_round", "reward/mean", "reward/std", "reward/task/mean", "reward/task/std",
        "rollouts/generated", "rollouts/trained", "rollouts/discarded", "tokens/generated",
        "tokens/trained", "tokens/discarded", "tokens/generated_total", "eval/test/pass@1",
        "eval/test/pass@2", "eval/test/avg@2", "group/frac_mixed", "group/frac_all_good",
        "group/frac_all_bad", "group/zero_cause/all_right", "group/zero_cause/all_wrong",
        "group/zero_cause/tie", "group/zero_cause/single", "group/zero_cause/truncated",
        "group/zero_cause/no_answer", "group/zero_cause/unscorable", "alloc/n_mean", "alloc/n_min",
        "alloc/n_max", "alloc/n_hist/3-4", "alloc/rounds", "alloc/unspent",
        "alloc/prompt_weight_min", "alloc/prompt_weight_median", "alloc/prompt_weight_max",
        "alloc/prompt_weight_hist/0.71-1.41", "ledger/dead", "ledger/solved", "ledger/mixed",
        "ledger/unseen", "loss/total", "loss/policy", "policy/entropy", "policy/clip_low",
        "policy/clip_high", "policy/clip_region", "policy/kl_anchor_k1", "policy/kl_anchor_k3",
        "mismatch/logp_diff_mean", "mismatch/logp_diff_max", "mismatch/ratio_min",
        "mismatch/ratio_mean", "mismatch/ratio_max", "mismatch/ess", "optim/grad_norm", "optim/lr",
        "length/mean", "length/min", "length/max", "length/terminated_mean",
        "length/terminated_min", "length/terminated_max", "length/truncated_frac", "prompt/mean",
        "prompt/max", "prompt/overlong", "verifier/correct", "verifier/wrong", "verifier/no_answer",
        "verifier/not_scorable", "verifier/error", "verifier/p50_us", "verifier/p99_us",
        "time/step", "time/generate", "time/score", "time/train", "speed/tokens_per_s",
        "train/epoch",
        // TRL's names
        "reward", "reward_std", "rewards/task/mean", "num_tokens", "loss", "policy_loss", "entropy",
        "grad_norm", "learning_rate", "completions/mean_length", "completions/clipped_ratio",
        "frac_reward_zero_std", "clip_ratio/low_mean", "step_time", "epoch"})
    EXPECT_TRUE(names.contains(name)) << name;
  // The causes add up to the share of prompts without signal.
  const SqliteConnection db =
      SqliteConnection::open_for_reading(folder_ / "runs/learning/run.sqlite");
  SqliteStatement rows = db.prepare(
      "SELECT step, avg(cause <> 'none'), (SELECT sum(value) FROM metrics m WHERE m.step = g.step "
      "AND name LIKE 'group/zero_cause/%') FROM groups g GROUP BY step");
  int steps = 0;
  for (; rows.next(); ++steps) EXPECT_NEAR(rows.real(1), rows.real(2), 1e-12) << rows.count(0);
  EXPECT_EQ(steps, 6);
  for (const char* absent : {"policy/kl_ref", "loss/kl", "time/sync", "replay/rows", "belief/brier",
                             "alloc/budget_left_rollouts"})
    EXPECT_FALSE(names.contains(absent)) << absent << " does not apply";
}

// Metrics that only some methods or settings have.
TEST_F(Trust, MetricsOfForecastsOfHeldRolloutsAndOfCapsAreLoggedWhereTheyApply) {
  learning();
  const auto contains = [](const std::set<std::string>& names, const char* name) {
    EXPECT_TRUE(names.contains(name)) << name;
  };
  for (const char* method : {"mopps", "vip", "cero"}) {
    const auto names = names_of_run(method, concat(" --set alloc.method=", method));
    contains(names, "belief/brier");
    EXPECT_TRUE(std::any_of(names.begin(), names.end(), [](const std::string& name) {
      return name.starts_with("belief/calib_bins/");
    })) << method;
  }
  for (const char* method : {"ar3po", "dapo"}) {
    const auto names = names_of_run(method, concat(" --set alloc.method=", method));
    for (const char* name :
         {"alloc/evicted", "alloc/surplus_kept", "alloc/surplus_expired", "replay/rows"})
      contains(names, name);
  }
  const auto capped = names_of_run(
      "capped", " --set alloc.budget.hard_rollouts=32 --set alloc.budget.hard_tokens=4000");
  contains(capped, "alloc/budget_left_rollouts");
  contains(capped, "alloc/budget_left_tokens");
}

TEST_F(Trust, RewardFunctionsAreAddedUpAndLogged) {
  learning();
  const auto names =
      names_of_run("shaped",
                   " --set 'reward.functions=[task, soft_overlong, repetition]' "
                   "--set 'reward.weights=[1, 0.5, 0.1]' --set 'reward.gate=[repetition:task]'");
  for (const char* name :
       {"reward/task/mean", "reward/soft_overlong/std", "rewards/repetition/mean"})
    EXPECT_TRUE(names.contains(name)) << name;
  expect(
      "train learning.yaml --name shaped --set 'reward.functions=[task]' --set train.max_steps=9",
      4, "reward.functions");
  expect("train learning.yaml --set 'reward.functions=[taks]'", 2, "did you mean 'task'?");
  expect("train learning.yaml --set 'reward.gate=[format:task]'", 2,
         "'format' is not among reward.functions");
}

TEST_F(Trust, NoNameGivenTwoWaysIsTaken) {
  tiny();
  expect("train tiny.yaml --num_generation 4", 2, "did you mean 'num_generations'?");
  expect("train tiny.yaml --num_generations 4 --set alloc.group_size=8", 2,
         "two names of one setting");
  expect("train tiny.yaml --set train.prompts_per_stepp=4", 2,
         "did you mean 'train.prompts_per_step'?");
}

TEST_F(Trust, ACommandLineOfTrlTrains) {
  tiny();
  expect(
      "train tiny.yaml --num_generations 4 --per_device_train_batch_size 16 "
      "--gradient_accumulation_steps 2 --learning_rate 1e-4 --weight_decay 0.0 "
      "--max_grad_norm 1.0 --max_completion_length 8 --temperature 1.0 --top_p 1.0 --top_k 0 "
      "--epsilon 0.2 --epsilon_high 0.28 --beta 0.0 --loss_type dapo --num_iterations 1 "
      "--max_steps 2 --save_steps 1 --save_total_limit 2 --eval_steps 1 --logging_steps 1 "
      "--report_to tensorboard --log_completions True --output_dir out --seed 3",
      0, "report: out/tiny/report.html");
  EXPECT_TRUE(fs::exists(folder_ / "out/tiny/tensorboard/events.out.tfevents.0.allot"));
  EXPECT_TRUE(fs::exists(folder_ / "out/tiny/checkpoint-2/trainer_state.json"));
}

}  // namespace
}  // namespace allot
