// Runs compared: what each method reached, with how much, and how sure that is.
//
//   std::vector<RunFolderPath> runs = {"runs/c/grpo-s0", "runs/c/aero-s0"};
//   Comparison comparison = compare_runs(runs);
//   std::string text = terminal_table(comparison);      // report/table.h
//   write_report(comparison, "runs/c/report.html");     // report/html.h
//   write_compare_json(comparison, "runs/c/compare.json");
//
// Runs of one method form an *arm*; its seeds are paired with the reference's by value.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "allot/report/curves.h"
#include "allot/report/intervals.h"
#include "allot/store/prompt_history.h"
#include "allot/store/run_reader.h"

namespace allot {

// What a report needs of one run.
struct RunData {
  RunFolderPath path;
  std::string method;  // of the run; ArmSummary::name tells runs of one method and seed apart
  std::uint64_t seed = 0;
  RunStatus status = RunStatus::Running;
  RunFacts facts;
  RunTotals totals;
  std::vector<EvaluationRow> evaluations;                        // of the set "test"
  std::map<std::string, std::vector<EvaluationRow>> benchmarks;  // all sets, "test" too
  std::vector<StepRow> rows;
  std::vector<MetricPoint> first_round_reward;
  std::vector<MetricPoint> own_brier;  // belief/brier, of methods that forecast
  std::map<std::string, std::uint64_t> zero_causes;
  std::map<std::uint32_t, std::uint64_t> rollouts_per_prompt;
  std::vector<SampleRow> samples;
  std::vector<EventRow> events;
  PromptHistory history;  // empty where nothing was recorded per prompt
  std::string expanded_config;

  Curve accuracy(Axis axis) const;  // held-out pass@1 over cost
  Curve reward(Axis axis) const;    // first-round training reward over cost
};

// Cost on an axis.
double cost_on(Axis axis, const RunTotals& totals);

enum class TargetOutcome {
  Reached,     // in every seed compared
  NotReached,  // in some seed or all: no number is given
  NoTarget     // the reference did not improve, was not run, or shares no seed
};

// What one seed needed to reach the reference's final accuracy of the same seed.
struct SeedTarget {
  std::uint64_t seed = 0;
  double target = 0;           // the accuracy to reach
  double reference = 0;        // compute at which the reference itself reached it first
  std::optional<double> cost;  // compute at which this run did; nullopt: not within `spent`
  double spent = 0;            // compute at its last evaluation: a run that did not reach the
                               // target needed more than this, how much more is not known
};

// One method over its seeds. Estimates are over seeds, with 95 % intervals from two seeds on.
struct ArmSummary {
  // The method; where one of its seeds occurs twice, the folder without "-sSEED" if that begins
  // with "METHOD-", as the arms of a grid do, else "METHOD (FOLDER)".
  std::string name;
  std::string method;
  std::vector<std::uint64_t> seeds;  // ascending
  std::vector<std::size_t> runs;     // indices into Comparison::runs, in the order of `seeds`
  std::size_t finished = 0;          // runs that reached their end

  // Held-out pass@1 at the first and at the last evaluation; absent without any.
  std::optional<Estimate> accuracy_before, accuracy_after;
  // Accuracy minus the reference's, paired by seed, where all have spent Comparison::common_*.
  // Absent for the reference and without a shared seed. The interval is Student's t.
  std::optional<Estimate> difference_at_compute, difference_at_generated, difference_at_rollouts,
      difference_at_seconds;
  // Percentile bootstrap over seeds of the same differences. Narrow with few seeds: of five it
  // covers the truth in about 84 % of cases, not 95 %.
  std::optional<Interval> bootstrap_at_compute, bootstrap_at_generated, bootstrap_at_rollouts,
      bootstrap_at_seconds;

  std::map<std::string, Estimate> totals;  // by the names of RunTotals::columns, and "steps"

  // Compute to the reference's final accuracy of the same seed, divided by the reference's own
  // compute to it.
  TargetOutcome target = TargetOutcome::NoTarget;
  std::size_t target_reached = 0, target_seeds = 0;  // seeds that reached it, of those compared
  std::optional<Estimate> compute_to_target;         // only if target == Reached
  std::vector<SeedTarget> seed_targets;              // one for each of target_seeds
};

// One arm on one evaluation set, at its last evaluation.
struct BenchmarkRow {
  std::string set, arm;
  Estimate after;
  std::optional<Estimate> difference;  // minus the reference's, paired by seed; t interval
};

struct Comparison {
  std::string title;
  std::string reference;  // name of the arm the others are compared with; "" without arms
  // What every run has spent at its last evaluation: the smallest on each axis. 0: no common part.
  double common_compute = 0, common_generated = 0, common_rollouts = 0, common_seconds = 0;
  std::vector<ArmSummary> arms;          // reference first, then in the order given
  std::vector<RunData> runs;             // in the order given; empty when read from compare.json
  std::vector<BenchmarkRow> benchmarks;  // by set, arms in their order
};

// The axes that runs are compared on: v(axis, name, members of Comparison and ArmSummary).
template <class V>
void compared_axes(V&& v) {
  v(Axis::Compute, "compute", &Comparison::common_compute, &ArmSummary::difference_at_compute,
    &ArmSummary::bootstrap_at_compute);
  v(Axis::Generated, "generated", &Comparison::common_generated,
    &ArmSummary::difference_at_generated, &ArmSummary::bootstrap_at_generated);
  v(Axis::Rollouts, "rollouts", &Comparison::common_rollouts, &ArmSummary::difference_at_rollouts,
    &ArmSummary::bootstrap_at_rollouts);
  v(Axis::Seconds, "seconds", &Comparison::common_seconds, &ArmSummary::difference_at_seconds,
    &ArmSummary::bootstrap_at_seconds);
}

RunData read_run(const RunFolderPath& path);
Comparison compare_runs(std::span<const RunFolderPath> runs);
Comparison compare_data(std::vector<RunData> runs);

// Whether some arm has more than one run.
bool has_several_seeds(const Comparison& comparison);

// docs/formats.md, "compare.json". The reader refuses unknown versions with Error(Data).
std::string compare_json(const Comparison& comparison);
void write_compare_json(const Comparison& comparison, const std::filesystem::path& path);
Comparison read_compare_json(const std::filesystem::path& path);

}  // namespace allot
