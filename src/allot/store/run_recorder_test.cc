// The recorder and the reader against each other and against counts made by hand, and what is left
// of a run after crashes.
#include "allot/store/run_recorder.h"

#include <cmath>
#include <csignal>
#include <set>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "allot/core/error.h"
#include "allot/core/ledger.h"
#include "allot/core/random.h"
#include "allot/core/testing/temporary_folder.h"
#include "allot/store/metrics_log.h"
#include "allot/store/run_reader.h"
#include "allot/store/sqlite.h"
#include "allot/store/testing/synthetic_run.h"
#include "allot/store/testing/table_dump.h"

namespace allot {
namespace {

namespace fs = std::filesystem;
using testing::kTables;
using testing::SyntheticRun;
using testing::SyntheticWorld;
using testing::table_dump;
using testing::TemporaryFolder;
using testing::write_synthetic_run;

// Adds up costs from the records themselves, rollout by rollout over the whole run.
class CountingRecorder : public Recorder {
 public:
  void step(const StepRecord& record) override {
    for (const RolloutId id : record.generated) {
      tokens[id] = record.store.get(id).rollout.tokens.size();
      alive.insert(id);
    }
    std::set<RolloutId> distinct;
    for (const TrainItem& item : record.batch.items) distinct.insert(item.rollout);
    for (const RolloutId id : distinct) {
      expected.rollouts_trained += 1;
      expected.tokens_trained += tokens[id];
      alive.erase(id);
    }
    const std::set<RolloutId> hold(record.batch.hold.begin(), record.batch.hold.end());
    for (const RolloutId id : std::set<RolloutId>(alive)) {
      if (hold.count(id)) continue;
      expected.rollouts_discarded += 1;
      expected.tokens_discarded += tokens[id];
      alive.erase(id);
    }
    expected.updates += record.feedback.updated;
    expected.prefilled += record.cost.prefilled;
    expected.generated += record.cost.generated;
    expected.trained += record.cost.trained;
    expected.compute += record.cost.prefilled + record.cost.generated + 3 * record.cost.trained +
                        record.cost.scored;
    expected.rollouts_generated += record.generated.size();
    expected.generate_s += record.times.generate;
    expected.score_s += record.times.score;
    expected.train_s += record.times.train;
    expected.step_s += record.times.step;
  }
  void event(const Event&) override {}

  RunTotals expected;
  std::map<RolloutId, std::uint64_t> tokens;
  std::set<RolloutId> alive;
};

TEST(RunRecorder, CumulativeCostsEqualACountOverRollouts) {
  TemporaryFolder folder;
  SyntheticRun run;
  run.hold = 5;
  run.kept = 3;
  run.adaptive = true;
  write_synthetic_run(run, folder / "r");
  CountingRecorder counting;
  SyntheticWorld world(run);
  for (std::uint64_t step = 0; step < run.steps; ++step) world.record_step(step, counting);
  const RunTotals totals = RunReader(folder / "r").totals();
  EXPECT_GT(counting.expected.rollouts_discarded, 0u);
  RunTotals::columns([&](const char* name, auto member) {
    EXPECT_EQ(totals.*member, counting.expected.*member) << name;
  });
}

TEST(RunReader, ReadsBackWhatWasRecorded) {
  TemporaryFolder folder;
  SyntheticRun run;
  run.method = "aero";
  run.seed = 7;
  write_synthetic_run(run, folder / "r");
  const RunReader reader(folder / "r");
  EXPECT_EQ(reader.fact("method"), "aero");
  EXPECT_EQ(reader.fact("nothing"), "");
  EXPECT_EQ(reader.status(), RunStatus::Finished);
  ASSERT_EQ(reader.steps().size(), run.steps);
  EXPECT_EQ(reader.steps().back().totals, reader.totals());
  EXPECT_EQ(reader.series("reward/first_round").size(), run.steps);
  EXPECT_EQ(reader.series("time/step").size(), run.steps);
  EXPECT_TRUE(reader.series("no/such").empty());
  const auto evaluations = reader.evaluations();
  ASSERT_EQ(evaluations.size(), 5u);  // 0, 5, 10, 15, 20
  const SyntheticWorld world(run);
  for (const EvaluationRow& row : evaluations) {
    EXPECT_EQ(row.pass_at_1, world.evaluation(row.step).pass_at_1);
    EXPECT_EQ(row.pass_at_k.at(4), world.evaluation(row.step).pass_at_k[1]);
  }
  EXPECT_EQ(evaluations.front().totals.compute, 0u);
  EXPECT_EQ(evaluations.back().totals, reader.totals());
  std::uint64_t groups = 0;
  for (const auto& [cause, count] : reader.zero_causes()) groups += count;
  EXPECT_EQ(groups, run.steps * run.prompts);
  EXPECT_EQ(reader.rollouts_per_prompt(),
            (std::map<std::uint32_t, std::uint64_t>{{run.group_size, groups}}));
  EXPECT_NE(reader.expanded_config().find("seed: 7"), std::string::npos);
}

TEST(RunReader, SamplesAreSpreadOverTheRun) {
  TemporaryFolder folder;
  write_synthetic_run({}, folder / "r");
  const RunReader reader(folder / "r");
  const auto samples = reader.samples(10);
  ASSERT_EQ(samples.size(), 10u);
  EXPECT_LT(samples.front().step, 3u);
  EXPECT_GT(samples.back().step, 16u);
  for (const SampleRow& row : samples) {
    EXPECT_EQ(row.response.rfind("the answer is ", 0), 0u);
    EXPECT_EQ(row.correct, row.read_answer == row.answer);
  }
  EXPECT_EQ(reader.samples(100000).size(), 80u);  // 20 steps of log.completions = 4
  EXPECT_TRUE(reader.samples(0).empty());
}

// Counts of run.sqlite against core's Ledger, fed with the same outcomes.
class LedgerRecorder : public Recorder {
 public:
  void step(const StepRecord& record) override {
    std::map<PromptId, std::vector<Outcome>> outcomes;
    for (const RolloutId id : record.generated) {
      const StoredRollout& stored = record.store.get(id);
      outcomes[stored.rollout.prompt].push_back(outcome_of(stored));
    }
    for (const GroupReport& report : record.batch.reports)
      ledger.observe(report.prompt, record.step, outcomes[report.prompt], report.cause);
  }
  void event(const Event&) override {}
  Ledger ledger;
};

TEST(RunRecorder, KnowsOfEachPromptWhatTheLedgerKnows) {
  TemporaryFolder folder;
  SyntheticRun run;
  run.steps = 5;  // 30 of the 40 prompts
  run.hold = 3;
  run.adaptive = true;
  write_synthetic_run(run, folder / "r");
  LedgerRecorder expected;
  SyntheticWorld world(run);
  for (std::uint64_t step = 0; step < run.steps; ++step) world.record_step(step, expected);
  const SqliteConnection db = SqliteConnection::open_for_reading(folder / "r" / "run.sqlite");
  const auto count = [&](const std::string& state) {
    return db.integer("SELECT count(*) FROM ledger WHERE state = '" + state + "'");
  };
  const Ledger::Counts counts = expected.ledger.counts();
  EXPECT_EQ(count("dead"), counts.dead);
  EXPECT_EQ(count("solved"), counts.solved);
  EXPECT_EQ(count("mixed"), counts.mixed);
  EXPECT_EQ(count("unseen"), 10);
  EXPECT_EQ(db.integer("SELECT count(*) FROM prompts WHERE text IS NULL"), 10);
  SqliteStatement row = db.prepare(
      "SELECT trials, successes, rollouts, tokens, last_step, last_cause FROM prompts WHERE id = "
      "?");
  for (const PromptRecord& record : expected.ledger.records()) {
    row.start(record.prompt);
    ASSERT_TRUE(row.next());
    EXPECT_EQ(row.count(0), record.trials);
    EXPECT_EQ(row.count(1), record.successes);
    EXPECT_EQ(row.count(2), record.rollouts);
    EXPECT_EQ(row.count(3), record.tokens);
    EXPECT_EQ(row.count(4), record.last_step);
    EXPECT_EQ(row.text(5), name(record.last_cause));
  }
}

TEST(RunRecorder, StoresTokenIdsWithTheTexts) {
  TemporaryFolder folder;
  SyntheticRun run;
  run.steps = 2;
  write_synthetic_run(run, folder / "r");
  const SqliteConnection db = SqliteConnection::open_for_reading(folder / "r" / "run.sqlite");
  SqliteStatement rows =
      db.prepare("SELECT prompt, prompt_ids, completion_ids, tokens FROM completions");
  int found = 0;
  for (; rows.next(); ++found) {
    std::string prompt = "[", completion = "[1";
    for (const unsigned char c : rows.text(0))
      prompt += (prompt.size() > 1 ? "," : "") + std::to_string(c);
    for (std::int64_t i = 1; i < rows.integer(3); ++i) completion += ",1";
    EXPECT_EQ(rows.text(1), prompt + "]");
    EXPECT_EQ(rows.text(2), completion + "]");
  }
  EXPECT_EQ(found, 8);
}

TEST(RunRecorder, EveryRolloutHasItsFate) {
  TemporaryFolder folder;
  SyntheticRun run;
  run.hold = 5;
  run.kept = 2;
  write_synthetic_run(run, folder / "r");
  const SqliteConnection db = SqliteConnection::open_for_reading(folder / "r" / "run.sqlite");
  const char* own_items =
      "FROM rollouts r JOIN decisions d ON d.rollout = r.id AND d.step = r.step ";
  EXPECT_GT(db.integer("SELECT count(*) FROM rollouts WHERE kept"), 100);
  EXPECT_EQ(db.integer("SELECT count(*) FROM rollouts WHERE kept"),
            db.integer(concat("SELECT count(DISTINCT r.id) ", own_items,
                              "WHERE d.kind IN ('train', 'hold')")));
  EXPECT_EQ(db.integer(concat("SELECT count(*) ", own_items,
                              "WHERE d.kind = 'train' AND d.advantage IS NOT r.advantage")),
            0);
  EXPECT_EQ(db.integer("SELECT sum(trained) FROM rollouts"),
            db.integer("SELECT count(*) FROM decisions WHERE kind = 'train'"));
}

TEST(RunRecorder, KeepsWhatEachRewardFunctionGave) {
  TemporaryFolder folder;
  SyntheticRun run;
  run.functions = {"right", "short"};
  write_synthetic_run(run, folder / "r");
  const SqliteConnection db = SqliteConnection::open_for_reading(folder / "r" / "run.sqlite");
  EXPECT_EQ(db.integer("SELECT count(*) FROM rollouts WHERE json_extract(rewards, '$.right') IS "
                       "reward AND json_extract(rewards, '$.short') = (tokens < 10)"),
            480);
  for (const SampleRow& row : RunReader(folder / "r").samples(10))
    EXPECT_EQ(row.rewards, (FunctionRewards{{"right", row.reward}, {"short", row.tokens < 10}}));
  write_synthetic_run({}, folder / "one");
  for (const SampleRow& row : RunReader(folder / "one").samples(10))
    EXPECT_TRUE(row.rewards.empty());
}

TEST(RunRecorder, KeepsTheTextOfAsManyRolloutsAsAskedFor) {
  for (const int completions : {0, 1, 5, 1000}) {
    TemporaryFolder folder;
    RunFolder run = RunFolder::open(folder / "r");
    LogOptions options;
    options.completions = completions;
    RunRecorder recorder(run, options, 0, {});
    SyntheticWorld world({});
    for (int step = 0; step < 3; ++step) world.record_step(step, recorder);
    recorder.flush();
    const SqliteConnection db = SqliteConnection::open_for_reading(run.path() / "run.sqlite");
    EXPECT_EQ(db.integer("SELECT count(*) FROM rollouts"), 72);
    EXPECT_EQ(db.integer("SELECT count(*) FROM completions"), 3 * std::min(completions, 24));
  }
}

// Records a run, kills it (copies the folder) after `killed` steps, resumes at `resumed`.
void expect_same_after_resume(std::uint64_t killed, std::uint64_t resumed) {
  TemporaryFolder folder;
  SyntheticRun run;
  run.hold = 4;
  run.kept = 2;
  write_synthetic_run(run, folder / "whole");
  {
    RunFolder broken = RunFolder::open(folder / "live");
    RunRecorder recorder(broken, {}, 0, {{"method", "grpo"}});
    SyntheticWorld world(run);
    name_prompts(world, recorder);
    const std::vector<int> k = {1, 4};
    for (std::uint64_t step = 0; step < killed; ++step) {
      if (step % 5 == 0) recorder.evaluation(step, world.evaluation(step), k);
      world.record_step(step, recorder);
    }
    recorder.event({Severity::Warning, "lost", "of the step that never ended", killed});
    fs::copy(folder / "live", folder / "copy",
             fs::copy_options::recursive);  // as a crash leaves it
  }
  write_synthetic_run(run, folder / "copy", resumed);
  for (const char* table : kTables)
    EXPECT_EQ(table_dump(folder / "copy", table), table_dump(folder / "whole", table))
        << table << " killed at " << killed << ", resumed at " << resumed;
  EXPECT_EQ(read_file(folder / "copy" / "metrics.jsonl"),
            read_file(folder / "whole" / "metrics.jsonl"));
  EXPECT_TRUE(RunReader(folder / "copy").events().empty());
}

TEST(RunRecorder, AResumedRunEqualsAnUninterruptedOne) {
  expect_same_after_resume(0, 0);
  expect_same_after_resume(1, 0);
  expect_same_after_resume(12, 10);
  expect_same_after_resume(13, 13);
  RandomStream random({5, RandomUse::Test});
  for (int i = 0; i < 4; ++i) {
    const std::uint64_t killed = 1 + random.below(19);
    expect_same_after_resume(killed, random.below(killed + 1));
  }
}

// The writer is killed by the system at an arbitrary moment, not between two calls.
TEST(RunRecorder, AKilledWriterLeavesWholeSteps) {
  for (int trial = 0; trial < 4; ++trial) {
    TemporaryFolder folder;
    const pid_t child = ::fork();
    if (child == 0) {
      SyntheticRun endless;
      endless.steps = 1000000;
      write_synthetic_run(endless, folder / "r");
      ::_exit(0);
    }
    const fs::path log = folder / "r" / "metrics.jsonl";
    std::error_code none;
    for (int i = 0; i < 60000 && (!fs::exists(log, none) || fs::file_size(log, none) < 4000); ++i)
      ::usleep(1000);
    ::usleep(1000 * trial);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    const std::vector<StepRow> steps = RunReader(folder / "r").steps();
    ASSERT_GT(steps.size(), 3u);
    const std::uint64_t count = steps.size();
    EXPECT_EQ(steps.back().step, count - 1);
    const SqliteConnection db = SqliteConnection::open_for_reading(folder / "r" / "run.sqlite");
    EXPECT_EQ(db.integer("SELECT count(*) FROM groups"), 6 * steps.size());
    EXPECT_EQ(db.integer("SELECT count(*) FROM rollouts"), 24 * steps.size());
    EXPECT_EQ(db.integer("SELECT count(DISTINCT step) FROM metrics"), steps.size());
    SyntheticRun rest;
    rest.steps = count + 2;
    write_synthetic_run(rest, folder / "r", count);  // its lock died with it
    EXPECT_EQ(RunReader(folder / "r").steps().size(), rest.steps);
  }
}

TEST(RunReader, ReadsBesideAWriterAndAfterACrash) {
  TemporaryFolder folder;
  RunFolder run = RunFolder::open(folder / "r");
  RunRecorder recorder(run, {}, 0, {{"method", "grpo"}});
  SyntheticWorld world({});
  for (int step = 0; step < 5; ++step) {
    world.record_step(step, recorder);
    const RunReader reader(folder / "r");
    EXPECT_EQ(reader.steps().size(), step + 1u);
    EXPECT_EQ(reader.status(), RunStatus::Running);
  }
  fs::copy(folder / "r", folder / "copy", fs::copy_options::recursive);
  EXPECT_EQ(RunReader(folder / "copy").steps().size(), 5u);
  EXPECT_EQ(RunReader(folder / "copy").totals(), recorder.totals());
}

TEST(RunReader, RefusesWhatIsNoRun) {
  TemporaryFolder folder;
  EXPECT_THROW(RunReader(folder / "nothing"), Error);
  fs::create_directory(folder / "damaged");
  write_synced_file(folder / "damaged" / "run.sqlite", std::string(5000, 'x'));
  EXPECT_THROW(RunReader(folder / "damaged"), Error);
  fs::create_directory(folder / "foreign");
  SqliteConnection::open_for_writing(folder / "foreign" / "run.sqlite")
      .execute("CREATE TABLE songs (name TEXT)");
  EXPECT_THROW(RunReader(folder / "foreign"), Error);
  RunFolder run = RunFolder::open(folder / "foreign");
  EXPECT_THROW(RunRecorder(run, {}, 0, {}), Error);
}

// Killed after the evaluation was stored and before its line was: it is made again.
TEST(RunRecorder, AnEvaluationWithoutItsLineIsForgotten) {
  TemporaryFolder folder;
  SyntheticRun run;
  run.steps = 10;
  write_synthetic_run(run, folder / "r");
  const std::string whole = read_file(folder / "r" / "metrics.jsonl");
  const std::size_t last = whole.rfind('\n', whole.size() - 2) + 1;
  ASSERT_EQ(whole.compare(last, 15, "{\"eval/step\":10"), 0);
  write_synced_file(folder / "r" / "metrics.jsonl", whole.substr(0, last + 20));
  write_synthetic_run(run, folder / "r", 10);
  EXPECT_EQ(read_file(folder / "r" / "metrics.jsonl"), whole);
}

TEST(RunRecorder, RefusesAnUnknownSchemaVersion) {
  TemporaryFolder folder;
  write_synthetic_run({}, folder / "r");
  SqliteConnection::open_for_writing(folder / "r" / "run.sqlite")
      .execute("PRAGMA user_version = 99");
  RunFolder run = RunFolder::open(folder / "r");
  for (const auto open : {+[](RunFolder& run) { RunRecorder(run, {}, 3, {}); },
                          +[](RunFolder& run) { RunReader(run.path()); }}) {
    try {
      open(run);
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Model);
      EXPECT_NE(std::string(error.what()).find("schema version 99 is unknown"), std::string::npos);
    }
  }
  SqliteConnection db = SqliteConnection::open_for_reading(folder / "r" / "run.sqlite");
  EXPECT_EQ(db.integer("SELECT count(*) FROM steps"), 20);  // nothing was cut
}

TEST(RunRecorder, SaysWhenHistoryIsMissing) {
  TemporaryFolder folder;
  SyntheticRun run;
  run.steps = 4;
  write_synthetic_run(run, folder / "r");
  RunFolder resumed = RunFolder::open(folder / "r");
  RunRecorder recorder(resumed, {}, 10, {});
  const auto event = recorder.history_gap();
  ASSERT_TRUE(event);
  EXPECT_EQ(event->text.rfind("6 of the 10", 0), 0u);
}

TEST(RunRecorder, AnEvaluationMadeAgainReplacesTheFirst) {
  TemporaryFolder folder;
  RunFolder run = RunFolder::open(folder / "r");
  RunRecorder recorder(run, {}, 0, {});
  EvalResult result;
  result.pass_at_k = {0.5};
  const std::vector<int> k = {1};
  result.pass_at_1 = 0.4;
  recorder.evaluation(0, result, k);
  result.pass_at_1 = 0.5;
  recorder.evaluation(0, result, k);
  recorder.evaluation(0, result, k, "train");
  EXPECT_EQ(RunReader(folder / "r").evaluations().at(0).pass_at_1, 0.5);
  EXPECT_EQ(RunReader(folder / "r").evaluations().size(), 1u);
  EXPECT_EQ(read_metrics_log(folder / "r" / "metrics.jsonl").size(), 2u);
  const std::vector<int> wrong = {1, 2};
  EXPECT_THROW(recorder.evaluation(1, result, wrong), Error);
}

// As on a full disk: the child's files may grow to 300 KiB only.
TEST(RunRecorder, AFullDiskStopsTheRunAndKeepsWholeSteps) {
  TemporaryFolder folder;
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{300 << 10, 300 << 10};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    SyntheticRun endless;
    endless.steps = 100000;
    try {
      write_synthetic_run(endless, folder / "r");
    } catch (const Error& error) {
      ::_exit(error.kind() == ErrorKind::Model ? 4 : 1);
    }
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 4);
  const auto steps = RunReader(folder / "r").steps();
  ASSERT_GT(steps.size(), 3u);
  EXPECT_EQ(steps.back().step, steps.size() - 1);
  const std::uint64_t next = steps.size() / 2;
  SyntheticRun rest;
  rest.steps = next + 3;
  write_synthetic_run(rest, folder / "r", next);  // with space again, the run goes on
  EXPECT_EQ(RunReader(folder / "r").steps().size(), rest.steps);
}

TEST(RunRecorder, StoresWhatIsNoNumberAndWhatIsNoUtf8) {
  TemporaryFolder folder;
  SyntheticRun run;
  run.steps = 2;
  run.text = "\xff\xfe broken \n\t <b>";
  write_synthetic_run(run, folder / "r");
  const auto samples = RunReader(folder / "r").samples(1);
  ASSERT_EQ(samples.size(), 1u);
  EXPECT_EQ(samples[0].response.rfind(run.text, 0), 0u);
  RunFolder again = RunFolder::open(folder / "r");
  RunRecorder recorder(again, {}, 2, {});
  const std::vector<Metric> metrics = {{"nan", std::nan("")}, {"inf", HUGE_VAL}, {"inf", HUGE_VAL}};
  const TrainBatch batch;
  const Feedback feedback;
  const RolloutStore store;
  const testing::SyntheticPrompts prompts("");
  recorder.step({2, {}, {}, batch, feedback, store, prompts, metrics, {}, {}});
  const RunReader reader(folder / "r");
  EXPECT_TRUE(std::isnan(reader.series("nan").at(0).value));
  EXPECT_TRUE(std::isinf(reader.series("inf").at(0).value));
}

TEST(RunReader, ReadsAFolderThatMayNotBeWritten) {
  TemporaryFolder folder;
  write_synthetic_run({}, folder / "r");
  fs::permissions(folder / "r", fs::perms::owner_read | fs::perms::owner_exec);
  EXPECT_EQ(RunReader(folder / "r").steps().size(), 20u);
  fs::permissions(folder / "r", fs::perms::owner_all);
}

}  // namespace
}  // namespace allot
