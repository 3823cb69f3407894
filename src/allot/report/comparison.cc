#include "allot/report/comparison.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>
#include <utility>

#include "allot/core/error.h"

namespace allot {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kSamples = 12;  // per run

// Of a path as the user gave it: "runs/c/" is "c".
std::string folder_name(const fs::path& path) {
  const fs::path clean = path.lexically_normal();
  return (clean.has_filename() ? clean : clean.parent_path()).filename().string();
}

std::string title_of(const std::vector<RunData>& runs) {
  if (runs.empty()) return "no runs";
  if (runs.size() == 1) return folder_name(runs[0].path);
  std::set<fs::path> parents;
  for (const RunData& run : runs) parents.insert(run.path.lexically_normal().parent_path());
  std::string shared = parents.size() == 1 ? folder_name(*parents.begin()) : "";
  if (!shared.empty() && shared != "runs" && shared != ".") return shared;
  std::string title = folder_name(runs[0].path);
  for (std::size_t i = 1; i < std::min<std::size_t>(runs.size(), 3); ++i)
    title += ", " + folder_name(runs[i].path);
  return runs.size() > 3 ? concat(title, " and ", runs.size() - 3, " more") : title;
}

// The folder's name without the seed that `allot compare` puts behind it.
std::string arm_of_folder(const RunData& run) {
  const std::string name = folder_name(run.path), ending = concat("-s", run.seed);
  return name.size() > ending.size() && name.ends_with(ending)
             ? name.substr(0, name.size() - ending.size())
             : name;
}

// The arm's name of each run: its method, unless that method has a seed twice. Then the folders
// tell its variants apart.
std::vector<std::string> arm_names(const std::vector<RunData>& runs) {
  std::set<std::pair<std::string, std::uint64_t>> seen;
  std::set<std::string> ambiguous;
  for (const RunData& run : runs)
    if (!seen.insert({run.method, run.seed}).second) ambiguous.insert(run.method);
  std::vector<std::string> names;
  for (const RunData& run : runs) {
    const std::string folder = arm_of_folder(run);
    if (!ambiguous.count(run.method))
      names.push_back(run.method);
    else if (folder.starts_with(run.method + "-"))
      names.push_back(folder);
    else
      names.push_back(concat(run.method, " (", folder, ")"));
  }
  return names;
}

std::vector<ArmSummary> grouped(const std::vector<RunData>& runs) {
  const std::vector<std::string> names = arm_names(runs);
  std::vector<ArmSummary> arms;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    auto arm = std::find_if(arms.begin(), arms.end(),
                            [&](const ArmSummary& a) { return a.name == names[i]; });
    if (arm == arms.end()) {
      arms.push_back({names[i], runs[i].method});
      arm = arms.end() - 1;
    }
    arm->runs.push_back(i);
  }
  for (ArmSummary& arm : arms) {
    std::stable_sort(arm.runs.begin(), arm.runs.end(),
                     [&](std::size_t a, std::size_t b) { return runs[a].seed < runs[b].seed; });
    for (const std::size_t i : arm.runs) arm.seeds.push_back(runs[i].seed);
  }
  const auto reference = std::find_if(arms.begin(), arms.end(),
                                      [](const ArmSummary& a) { return a.method == "grpo"; });
  if (reference != arms.end()) std::rotate(arms.begin(), reference, reference + 1);
  return arms;
}

// Smallest final cost of any run that was evaluated.
double common_cost(const std::vector<RunData>& runs, Axis axis) {
  double common = HUGE_VAL;
  for (const RunData& run : runs)
    if (!run.evaluations.empty())
      common = std::min(common, cost_on(axis, run.evaluations.back().totals));
  return std::isfinite(common) ? common : 0;
}

void add_own_numbers(ArmSummary& arm, const std::vector<RunData>& runs) {
  std::vector<double> before, after, steps;
  for (const std::size_t i : arm.runs) {
    const RunData& run = runs[i];
    arm.finished += run.status == RunStatus::Finished ? 1 : 0;
    steps.push_back(static_cast<double>(run.rows.size()));
    if (run.evaluations.empty()) continue;
    before.push_back(run.evaluations.front().pass_at_1);
    after.push_back(run.evaluations.back().pass_at_1);
  }
  if (!before.empty()) arm.accuracy_before = mean_estimate(before);
  if (!after.empty()) arm.accuracy_after = mean_estimate(after);
  arm.totals["steps"] = mean_estimate(steps);
  RunTotals::columns([&](const char* name, auto member) {
    std::vector<double> values;
    for (const std::size_t i : arm.runs)
      values.push_back(static_cast<double>(runs[i].totals.*member));
    arm.totals[name] = mean_estimate(values);
  });
}

// Runs of two arms with the same seed, both evaluated.
using Pairs = std::vector<std::pair<const RunData*, const RunData*>>;

Pairs seed_pairs(const ArmSummary& arm, const ArmSummary& reference,
                 const std::vector<RunData>& runs) {
  Pairs pairs;
  for (const std::size_t i : arm.runs)
    for (const std::size_t j : reference.runs)
      if (runs[i].seed == runs[j].seed && !runs[i].evaluations.empty() &&
          !runs[j].evaluations.empty())
        pairs.emplace_back(&runs[i], &runs[j]);
  return pairs;
}

struct Paired {
  std::vector<double> own, reference;
};

// Accuracies of both where both have spent `cost`.
Paired accuracies_at(const Pairs& pairs, Axis axis, double cost) {
  Paired values;
  for (const auto& [run, base] : pairs) {
    const auto own = value_at(run->accuracy(axis), cost);
    const auto reference = value_at(base->accuracy(axis), cost);
    if (!own || !reference) continue;
    values.own.push_back(*own);
    values.reference.push_back(*reference);
  }
  return values;
}

void add_target(ArmSummary& arm, const Pairs& pairs) {
  std::vector<double> own, reference;
  for (const auto& [run, base] : pairs) {
    const double target = base->evaluations.back().pass_at_1;
    const auto base_cost = first_crossing(base->accuracy(Axis::Compute), target);
    if (!base_cost || *base_cost <= 0) continue;  // reached before training: no target
    SeedTarget seed{run->seed, target, *base_cost, std::nullopt,
                    cost_on(Axis::Compute, run->evaluations.back().totals)};
    const auto cost = first_crossing(run->accuracy(Axis::Compute), target);
    if (cost && *cost > 0) {
      seed.cost = cost;
      own.push_back(*cost);
      reference.push_back(*base_cost);
    }
    arm.seed_targets.push_back(seed);
  }
  arm.target_seeds = arm.seed_targets.size();
  arm.target_reached = own.size();
  if (arm.target_seeds == 0) return;
  arm.target = TargetOutcome::NotReached;
  if (arm.target_reached < arm.target_seeds) return;
  arm.target = TargetOutcome::Reached;
  arm.compute_to_target = paired_ratio(own, reference);
}

void compare_with(ArmSummary& arm, const ArmSummary& reference, const Comparison& comparison) {
  const Pairs pairs = seed_pairs(arm, reference, comparison.runs);
  add_target(arm, pairs);
  if (arm.name == reference.name) return;
  compared_axes([&](Axis axis, const char*, auto common, auto difference, auto bootstrap) {
    if (!(comparison.*common > 0)) return;
    const Paired at = accuracies_at(pairs, axis, comparison.*common);
    if (at.own.empty()) return;
    arm.*difference = paired_difference(at.own, at.reference);
    std::vector<double> differences;
    for (std::size_t i = 0; i < at.own.size(); ++i)
      differences.push_back(at.own[i] - at.reference[i]);
    arm.*bootstrap = bootstrap_mean(differences, 0);
  });
}

const EvaluationRow* last_of(const RunData& run, const std::string& set) {
  const auto found = run.benchmarks.find(set);
  return found == run.benchmarks.end() || found->second.empty() ? nullptr : &found->second.back();
}

BenchmarkRow benchmark_row(const Comparison& comparison, const ArmSummary& arm,
                           const std::string& set) {
  BenchmarkRow row{set, arm.name, {}, std::nullopt};
  std::vector<double> after, own, reference;
  for (const std::size_t i : arm.runs) {
    const EvaluationRow* last = last_of(comparison.runs[i], set);
    if (!last) continue;
    after.push_back(last->pass_at_1);
    for (const std::size_t j : comparison.arms.front().runs) {
      const EvaluationRow* base = last_of(comparison.runs[j], set);
      if (!base || comparison.runs[j].seed != comparison.runs[i].seed) continue;
      own.push_back(last->pass_at_1);
      reference.push_back(base->pass_at_1);
    }
  }
  if (!after.empty()) row.after = mean_estimate(after);
  if (!own.empty() && arm.name != comparison.reference)
    row.difference = paired_difference(own, reference);
  return row;
}

void add_benchmarks(Comparison& comparison) {
  std::set<std::string> sets;
  for (const RunData& run : comparison.runs)
    for (const auto& [set, rows] : run.benchmarks) sets.insert(set);
  for (const std::string& set : sets)
    for (const ArmSummary& arm : comparison.arms) {
      BenchmarkRow row = benchmark_row(comparison, arm, set);
      if (row.after.n > 0) comparison.benchmarks.push_back(std::move(row));
    }
}

}  // namespace

double cost_on(Axis axis, const RunTotals& totals) {
  switch (axis) {
    case Axis::Compute:
      return static_cast<double>(totals.compute);
    case Axis::Generated:
      return static_cast<double>(totals.generated);
    case Axis::Rollouts:
      return static_cast<double>(totals.rollouts_generated);
    case Axis::Seconds:
      return totals.step_s;
  }
  return 0;
}

Curve RunData::accuracy(Axis axis) const {
  Curve curve;
  for (const EvaluationRow& row : evaluations)
    if (row.complete && std::isfinite(row.pass_at_1))
      curve.push_back({cost_on(axis, row.totals), row.pass_at_1});
  return curve;
}

Curve RunData::reward(Axis axis) const {
  Curve curve;
  auto row = rows.begin();
  for (const MetricPoint& point : first_round_reward) {
    while (row != rows.end() && row->step < point.step) ++row;
    if (row == rows.end()) break;
    if (row->step == point.step && std::isfinite(point.value))
      curve.push_back({cost_on(axis, row->totals), point.value});
  }
  return curve;
}

RunData read_run(const RunFolderPath& path) {
  const RunReader reader(path);
  RunData run;
  run.path = path;
  run.facts = reader.facts();
  run.method = reader.fact("method").empty() ? "unknown" : reader.fact("method");
  const std::string seed = reader.fact("seed");
  std::from_chars(seed.data(), seed.data() + seed.size(), run.seed);
  run.status = reader.status();
  run.totals = reader.totals();
  for (const std::string& set : reader.evaluation_sets())
    for (EvaluationRow& row : reader.evaluations(set))
      if (row.complete) run.benchmarks[set].push_back(std::move(row));
  const auto test = run.benchmarks.find("test");
  if (test != run.benchmarks.end()) run.evaluations = test->second;
  run.rows = reader.steps();
  run.first_round_reward = reader.series("reward/first_round");
  run.own_brier = reader.series("belief/brier");
  run.zero_causes = reader.zero_causes();
  run.rollouts_per_prompt = reader.rollouts_per_prompt();
  run.samples = reader.samples(kSamples);
  run.events = reader.events();
  run.history = read_prompt_history(path);
  run.expanded_config = reader.expanded_config();
  return run;
}

bool has_several_seeds(const Comparison& comparison) {
  return std::any_of(comparison.arms.begin(), comparison.arms.end(),
                     [](const ArmSummary& arm) { return arm.runs.size() > 1; });
}

Comparison compare_runs(std::span<const RunFolderPath> runs) {
  std::vector<RunData> data;
  for (const RunFolderPath& path : runs) data.push_back(read_run(path));
  return compare_data(std::move(data));
}

Comparison compare_data(std::vector<RunData> runs) {
  Comparison comparison;
  comparison.title = title_of(runs);
  comparison.runs = std::move(runs);
  comparison.arms = grouped(comparison.runs);
  if (comparison.arms.empty()) return comparison;
  comparison.reference = comparison.arms.front().name;
  compared_axes([&](Axis axis, const char*, auto common, auto, auto) {
    comparison.*common = common_cost(comparison.runs, axis);
  });
  for (ArmSummary& arm : comparison.arms) {
    add_own_numbers(arm, comparison.runs);
    compare_with(arm, comparison.arms.front(), comparison);
  }
  add_benchmarks(comparison);
  return comparison;
}

}  // namespace allot
