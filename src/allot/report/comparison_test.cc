// Comparisons of runs whose curves are known, by hand-computed numbers.
#include "allot/report/comparison.h"

#include <cmath>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "allot/core/durable_file.h"
#include "allot/core/error.h"
#include "allot/core/testing/temporary_folder.h"
#include "allot/report/table.h"
#include "allot/store/testing/synthetic_run.h"

namespace allot {
namespace {

using testing::SyntheticRun;
using testing::TemporaryFolder;
using testing::write_synthetic_run;

struct Point {
  std::uint64_t compute;
  double accuracy;
};

RunData run_with(std::string method, std::uint64_t seed, const std::vector<Point>& points) {
  RunData run;
  run.path = "runs/c/" + method + "-s" + std::to_string(seed);
  run.method = std::move(method);
  run.seed = seed;
  run.status = RunStatus::Finished;
  for (const Point& point : points) {
    EvaluationRow row;
    row.pass_at_1 = point.accuracy;
    row.totals.compute = point.compute;
    row.totals.generated = point.compute / 2;
    row.totals.step_s = static_cast<double>(point.compute) / 10;
    run.evaluations.push_back(row);
    run.totals = row.totals;
  }
  run.rows.resize(points.size());
  return run;
}

TEST(Comparison, OneSeedByHand) {
  const Comparison c = compare_data({run_with("aero", 0, {{0, 0.2}, {50, 0.5}, {90, 0.62}}),
                                     run_with("grpo", 0, {{0, 0.2}, {50, 0.3}, {100, 0.5}})});
  EXPECT_EQ(c.title, "c");
  EXPECT_EQ(c.reference, "grpo");
  ASSERT_EQ(c.arms.size(), 2u);
  EXPECT_EQ(c.arms[0].name, "grpo");  // the reference comes first
  EXPECT_EQ(c.common_compute, 90);
  EXPECT_EQ(c.common_generated, 45);
  const ArmSummary& aero = c.arms[1];
  EXPECT_EQ(aero.runs, std::vector<std::size_t>{0});
  EXPECT_NEAR(aero.difference_at_compute->mean, 0.62 - 0.46, 1e-12);
  EXPECT_NEAR(aero.difference_at_generated->mean, 0.62 - 0.46, 1e-12);
  EXPECT_FALSE(aero.difference_at_compute->interval.has_value());
  EXPECT_EQ(aero.target, TargetOutcome::Reached);
  EXPECT_NEAR(aero.compute_to_target->mean, 50.0 / 100, 1e-12);
  EXPECT_EQ(aero.totals.at("compute").mean, 90);
  EXPECT_EQ(aero.totals.at("steps").mean, 3);
  EXPECT_FALSE(c.arms[0].difference_at_compute.has_value());
  EXPECT_NEAR(c.arms[0].compute_to_target->mean, 1, 1e-12);
}

TEST(Comparison, ATargetThatIsNeverReachedHasNoNumber) {
  const Comparison c = compare_data(
      {run_with("grpo", 0, {{0, 0.2}, {100, 0.5}}), run_with("grpo", 1, {{0, 0.2}, {100, 0.4}}),
       run_with("vip", 0, {{0, 0.2}, {100, 0.49}}), run_with("vip", 1, {{0, 0.2}, {100, 0.6}}),
       run_with("coba", 1, {{0, 0.2}, {100, 0.3}})});
  const ArmSummary &vip = c.arms[1], &coba = c.arms[2];
  EXPECT_EQ(vip.target, TargetOutcome::NotReached);
  EXPECT_EQ(vip.target_reached, 1u);
  EXPECT_EQ(vip.target_seeds, 2u);
  EXPECT_FALSE(vip.compute_to_target.has_value());
  EXPECT_EQ(coba.target_reached, 0u);
  const std::string text = terminal_table(c);
  EXPECT_NE(text.find("reached in 1 of 2"), std::string::npos);
  EXPECT_NE(text.find("not reached"), std::string::npos);
}

TEST(Comparison, AReferenceThatDidNotImproveSetsNoTarget) {
  const Comparison c = compare_data(
      {run_with("grpo", 0, {{0, 0.5}, {100, 0.4}}), run_with("aero", 0, {{0, 0.5}, {100, 0.6}})});
  EXPECT_EQ(c.arms[1].target, TargetOutcome::NoTarget);
  EXPECT_NEAR(c.arms[1].difference_at_compute->mean, 0.2, 1e-12);
}

TEST(Comparison, PairsSeedsByValue) {
  const Comparison c = compare_data(
      {run_with("grpo", 3, {{0, 0.2}, {100, 0.9}}), run_with("grpo", 1, {{0, 0.2}, {100, 0.3}}),
       run_with("aero", 1, {{0, 0.2}, {100, 0.4}}), run_with("aero", 3, {{0, 0.2}, {100, 0.98}}),
       run_with("aero", 7, {{0, 0.2}, {100, 0.0}})});
  const ArmSummary& aero = c.arms[1];
  EXPECT_EQ(aero.seeds, (std::vector<std::uint64_t>{1, 3, 7}));
  EXPECT_EQ(aero.difference_at_compute->n, 2u);  // seed 7 has no partner
  EXPECT_NEAR(aero.difference_at_compute->mean, 0.09, 1e-12);
  // Differences .10 and .08; t(.975, 1) = 12.7062.
  EXPECT_NEAR(aero.difference_at_compute->interval->high, 0.09 + 12.7062 * 0.01, 1e-6);
  EXPECT_NEAR(aero.bootstrap_at_compute->low, 0.08, 1e-12);
  EXPECT_EQ(aero.accuracy_after->n, 3u);
}

TEST(Comparison, TellsRunsOfOneMethodAndSeedApart) {
  RunData a = run_with("grpo", 0, {{0, 0.2}, {100, 0.3}});
  RunData b = a;
  a.path = "runs/first/";
  b.path = "runs/second";
  const Comparison c = compare_data({a, b});
  ASSERT_EQ(c.arms.size(), 2u);
  EXPECT_EQ(c.arms[0].name, "grpo (first)");
  EXPECT_EQ(c.arms[1].name, "grpo (second)");
  EXPECT_EQ(c.reference, "grpo (first)");
  EXPECT_EQ(c.title, "first, second");
}

TEST(Comparison, ArmsOfAGridAreNamedByTheirFolders) {
  std::vector<RunData> runs;
  for (const std::uint64_t seed : {0, 1})
    for (const char* arm : {"grpo-group_size=4", "grpo-group_size=8"}) {
      RunData run = run_with("grpo", seed, {{0, 0.2}, {100, 0.3}});
      run.path = concat("runs/c/", arm, "-s", seed);
      runs.push_back(run);
    }
  const Comparison c = compare_data(runs);
  ASSERT_EQ(c.arms.size(), 2u);
  EXPECT_EQ(c.arms[0].name, "grpo-group_size=4");
  EXPECT_EQ(c.arms[1].name, "grpo-group_size=8");
  EXPECT_EQ(c.arms[1].seeds.size(), 2u);
}

TEST(Comparison, EqualRolloutsAndSecondsArePairedToo) {
  std::vector<RunData> runs = {run_with("grpo", 0, {{0, 0.2}, {100, 0.6}}),
                               run_with("aero", 0, {{0, 0.2}, {100, 0.6}})};
  runs[0].evaluations[1].totals.rollouts_generated = 80;
  runs[1].evaluations[1].totals.rollouts_generated = 40;
  runs[1].evaluations[1].totals.step_s = 20;  // of 10 by its compute
  const Comparison c = compare_data(runs);
  EXPECT_EQ(c.common_rollouts, 40);
  EXPECT_EQ(c.common_seconds, 10);
  EXPECT_NEAR(c.arms[1].difference_at_compute->mean, 0, 1e-12);
  EXPECT_NEAR(c.arms[1].difference_at_rollouts->mean, 0.6 - 0.4, 1e-12);
  EXPECT_NEAR(c.arms[1].difference_at_seconds->mean, 0.4 - 0.6, 1e-12);
}

TEST(Comparison, ASeedThatNeverGetsThereIsCensoredAtWhatItSpent) {
  const Comparison c = compare_data(
      {run_with("grpo", 0, {{0, 0.2}, {100, 0.5}}), run_with("grpo", 1, {{0, 0.2}, {100, 0.4}}),
       run_with("vip", 0, {{0, 0.2}, {120, 0.49}}), run_with("vip", 1, {{0, 0.2}, {100, 0.6}})});
  const std::vector<SeedTarget>& seeds = c.arms[1].seed_targets;
  ASSERT_EQ(seeds.size(), 2u);
  EXPECT_EQ(seeds[0].target, 0.5);
  EXPECT_FALSE(seeds[0].cost.has_value());
  EXPECT_EQ(seeds[0].spent, 120);
  EXPECT_NEAR(*seeds[1].cost, 50, 1e-9);
  EXPECT_EQ(seeds[1].reference, 100);
  EXPECT_NE(markdown_tables(c).find("> 120 |"), std::string::npos);
  EXPECT_NE(comparison_csv(c).find(",0.5,120,0,runs/c/vip-s0"), std::string::npos)
      << comparison_csv(c);
}

TEST(Comparison, EveryEvaluationSetHasItsRows) {
  std::vector<RunData> runs;
  for (const std::uint64_t seed : {0, 1})
    for (const char* method : {"grpo", "aero"}) {
      RunData run = run_with(method, seed, {{0, 0.2}, {100, 0.3}});
      run.benchmarks["test"] = run.evaluations;
      run.benchmarks["hard"] = run.evaluations;
      run.benchmarks["hard"].back().pass_at_1 = run.method == "aero" ? 0.15 : 0.1;
      runs.push_back(run);
    }
  const Comparison c = compare_data(runs);
  ASSERT_EQ(c.benchmarks.size(), 4u);
  EXPECT_EQ(c.benchmarks[1].set, "hard");
  EXPECT_EQ(c.benchmarks[1].arm, "aero");
  EXPECT_NEAR(c.benchmarks[1].difference->mean, 0.05, 1e-12);
  EXPECT_FALSE(c.benchmarks[0].difference.has_value());
  EXPECT_NE(terminal_table(c).find("Per evaluation set"), std::string::npos);
}

TEST(Comparison, WithoutGrpoTheFirstIsTheReference) {
  const Comparison c = compare_data(
      {run_with("dapo", 0, {{0, 0.2}, {100, 0.3}}), run_with("aero", 0, {{0, 0.2}, {100, 0.4}})});
  EXPECT_EQ(c.reference, "dapo");
  EXPECT_NEAR(c.arms[1].difference_at_compute->mean, 0.1, 1e-12);
}

TEST(Comparison, SurvivesRunsWithNothingInThem) {
  EXPECT_TRUE(compare_data({}).arms.empty());
  EXPECT_FALSE(terminal_table(compare_data({})).empty());
  const Comparison c = compare_data({run_with("grpo", 0, {}), run_with("aero", 0, {{0, 0.3}})});
  EXPECT_FALSE(c.arms[0].accuracy_after.has_value());
  EXPECT_FALSE(c.arms[1].difference_at_compute.has_value());
  EXPECT_EQ(c.arms[1].target, TargetOutcome::NoTarget);
  EXPECT_NE(terminal_table(c).find("grpo was not evaluated"), std::string::npos);
}

TEST(Comparison, ReadsRunFolders) {
  TemporaryFolder folder;
  SyntheticRun run;
  std::vector<RunFolderPath> paths;
  for (const std::uint64_t seed : {0, 1}) {
    for (const char* method : {"grpo", "aero"}) {
      run.method = method;
      run.seed = seed;
      paths.push_back(folder / (std::string(method) + "-s" + std::to_string(seed)));
      write_synthetic_run(run, paths.back());
    }
  }
  const Comparison c = compare_runs(paths);
  ASSERT_EQ(c.arms.size(), 2u);
  EXPECT_EQ(c.arms[0].finished, 2u);
  const double expected = static_cast<double>(RunReader(paths[0]).totals().compute +
                                              RunReader(paths[2]).totals().compute) /
                          2;
  EXPECT_EQ(c.arms[0].totals.at("compute").mean, expected);
  // Both methods drew the same synthetic outcomes, so the paired difference is exactly none.
  EXPECT_EQ(c.arms[1].difference_at_compute->mean, 0);
  const Curve reward = c.runs[0].reward(Axis::Generated);
  ASSERT_EQ(reward.size(), run.steps);
  EXPECT_EQ(reward.back().x, static_cast<double>(c.runs[0].totals.generated));
}

TEST(Comparison, AnInterruptedRunIsComparedAsFarAsItWent) {
  TemporaryFolder folder;
  SyntheticRun whole, cut;
  cut.method = "aero";
  cut.status = RunStatus::Interrupted;
  cut.steps = 7;
  write_synthetic_run(whole, folder / "grpo");
  write_synthetic_run(cut, folder / "aero");
  const std::vector<RunFolderPath> paths = {folder / "grpo", folder / "aero"};
  const Comparison c = compare_runs(paths);
  EXPECT_EQ(c.common_compute, static_cast<double>(c.runs[1].totals.compute));
  EXPECT_EQ(c.arms[1].finished, 0u);
  EXPECT_NE(terminal_table(c).find("1 of 2 runs did not finish"), std::string::npos);
}

TEST(CompareJson, ReadsBackTheSame) {
  TemporaryFolder folder;
  const Comparison c = compare_data(
      {run_with("grpo", 0, {{0, 0.2}, {100, 0.5}}), run_with("grpo", 1, {{0, 0.2}, {100, 0.4}}),
       run_with("aero", 0, {{0, 0.2}, {100, 0.1 + 0.6}}),
       run_with("aero", 1, {{0, 0.2}, {100, 0.3}}), run_with("cut", 5, {})});
  write_compare_json(c, folder / "compare.json");
  Comparison read = read_compare_json(folder / "compare.json");
  EXPECT_EQ(read.title, c.title);
  EXPECT_TRUE(read.runs.empty());
  // Everything of the arms: the same text again, but for the runs.
  auto before = nlohmann::json::parse(compare_json(c)),
       after = nlohmann::json::parse(compare_json(read));
  EXPECT_EQ(before["runs"].size(), 5u);
  EXPECT_EQ(before["runs"][0]["evaluations"][1]["compute"], 100);
  before.erase("runs");
  after.erase("runs");
  EXPECT_EQ(before, after);
  EXPECT_EQ(terminal_table(read), terminal_table(c));
}

TEST(CompareJson, RefusesWhatItDoesNotKnow) {
  TemporaryFolder folder;
  const std::string whole = compare_json(compare_data({run_with("grpo", 0, {{0, 0.2}, {9, 0.5}})}));
  const auto expect_refused = [&](const std::string& text) {
    write_synced_file(folder / "c.json", text);
    try {
      read_compare_json(folder / "c.json");
      FAIL() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Data);
    }
  };
  expect_refused("");
  expect_refused("{}");
  expect_refused("{\"format\":\"allot.compare\",\"version\":3}");
  expect_refused("{\"format\":\"allot.compare\",\"version\":2,\"title\":3}");
  for (std::size_t n = 0; n + 2 < whole.size(); n += 7) expect_refused(whole.substr(0, n));
}

}  // namespace
}  // namespace allot
