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
  std::vector<EvaluationRow> evaluations;
  std::vector<StepRow> rows;
  std::vector<MetricPoint> first_round_reward;
  std::map<std::string, std::uint64_t> zero_causes;
  std::map<std::uint32_t, std::uint64_t> rollouts_per_prompt;
  std::vector<SampleRow> samples;
  std::vector<EventRow> events;
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

// One method over its seeds. Estimates are over seeds, with 95 % intervals from two seeds on.
struct ArmSummary {
  std::string name;  // the method; "METHOD (FOLDER)" where a seed occurs twice
  std::string method;
  std::vector<std::uint64_t> seeds;  // ascending
  std::vector<std::size_t> runs;     // indices into Comparison::runs, in the order of `seeds`
  std::size_t finished = 0;          // runs that reached their end

  // Held-out pass@1 at the first and at the last evaluation; absent without any.
  std::optional<Estimate> accuracy_before, accuracy_after;
  // Accuracy minus the reference's, paired by seed, at Comparison::common_compute and
  // common_generated. Absent for the reference and without a shared seed.
  std::optional<Estimate> difference_at_compute, difference_at_generated;
  // Percentile bootstrap over seeds of difference_at_compute.
  std::optional<Interval> bootstrap_at_compute;

  std::map<std::string, Estimate> totals;  // by the names of RunTotals::columns, and "steps"

  // Compute to the reference's final accuracy of the same seed, divided by the reference's own
  // compute to it.
  TargetOutcome target = TargetOutcome::NoTarget;
  std::size_t target_reached = 0, target_seeds = 0;  // seeds that reached it, of those compared
  std::optional<Estimate> compute_to_target;         // only if target == Reached
};

struct Comparison {
  std::string title;
  std::string reference;  // name of the arm the others are compared with; "" without arms
  // What every run has spent at its last evaluation: the smallest on each axis. 0: no common part.
  double common_compute = 0, common_generated = 0;
  std::vector<ArmSummary> arms;  // reference first, then in the order given
  std::vector<RunData> runs;     // in the order given; empty when read from compare.json
};

RunData read_run(const RunFolderPath& path);
Comparison compare_runs(std::span<const RunFolderPath> runs);
Comparison compare_data(std::vector<RunData> runs);

// docs/formats.md, "compare.json". The reader refuses unknown versions with Error(Data).
std::string compare_json(const Comparison& comparison);
void write_compare_json(const Comparison& comparison, const std::filesystem::path& path);
Comparison read_compare_json(const std::filesystem::path& path);

}  // namespace allot
