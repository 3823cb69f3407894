#include "allot/report/table.h"

#include <algorithm>
#include <cmath>

#include "allot/core/error.h"
#include "allot/report/csv.h"
#include "allot/report/number_text.h"

namespace allot {
namespace {

constexpr const char* kAbsent = "-";

// Fewer seeds than this prove little: the program says so.
constexpr std::size_t kEnoughSeeds = 3;

const Estimate& total(const ArmSummary& arm, const char* name) {
  static const Estimate kNone;
  const auto found = arm.totals.find(name);
  return found == arm.totals.end() ? kNone : found->second;
}

template <class Text>
std::string or_absent(const std::optional<Estimate>& estimate, Text text) {
  return estimate ? text(*estimate) : kAbsent;
}

std::string target_text(const ArmSummary& arm, bool is_reference) {
  switch (arm.target) {
    case TargetOutcome::Reached:
      return is_reference ? "1" : ratio_text(*arm.compute_to_target);
    case TargetOutcome::NotReached:
      if (arm.target_reached == 0) return "not reached";
      return concat("reached in ", arm.target_reached, " of ", arm.target_seeds);
    case TargetOutcome::NoTarget:
      return kAbsent;
  }
  return kAbsent;
}

std::size_t fewest_seeds(const Comparison& comparison) {
  std::size_t fewest = comparison.arms.empty() ? 0 : comparison.arms[0].seeds.size();
  for (const ArmSummary& arm : comparison.arms) fewest = std::min(fewest, arm.seeds.size());
  return fewest;
}

std::string accuracy_sentence(const ArmSummary& arm) {
  if (!arm.accuracy_after) return arm.name + " was not evaluated.";
  if (arm.accuracy_before && total(arm, "steps").mean > 0)
    return concat(arm.name, ": held-out accuracy from ", percent_text(*arm.accuracy_before), " to ",
                  percent_text(*arm.accuracy_after), " with ", count_text(total(arm, "compute")),
                  " positions of compute.");
  return concat(arm.name, ": held-out accuracy ", percent_text(*arm.accuracy_after), ".");
}

std::string difference_clause(const ArmSummary& arm, const std::string& reference) {
  const Estimate& difference = *arm.difference_at_compute;
  const std::string size = fixed_text(100 * std::abs(difference.mean), 1) + " points";
  const bool above = difference.mean > 0;
  if (!difference.interval)
    return concat(arm.name, " is ", size, above ? " above " : " below ", reference);
  const std::string interval =
      concat(" (95 % interval ", fixed_text(100 * difference.interval->low, 1), " to ",
             fixed_text(100 * difference.interval->high, 1), ", ", difference.n, " seeds)");
  if (difference.interval->low > 0 || difference.interval->high < 0)
    return concat(arm.name, " is ", above ? "better" : "worse", " than ", reference, " by ", size,
                  interval);
  return concat("no difference between ", arm.name, " and ", reference,
                " is shown: ", points_text({difference.mean, 1, std::nullopt}), " points",
                interval);
}

std::string target_clause(const ArmSummary& arm, const std::string& reference) {
  switch (arm.target) {
    case TargetOutcome::Reached:
      return concat("; it needed ", ratio_text(*arm.compute_to_target), " the compute that ",
                    reference, " needed to reach ", reference, "'s final accuracy");
    case TargetOutcome::NotReached:
      return arm.target_reached == 0
                 ? concat("; it did not reach ", reference, "'s final accuracy")
                 : concat("; it reached ", reference, "'s final accuracy in ", arm.target_reached,
                          " of ", arm.target_seeds, " seeds");
    case TargetOutcome::NoTarget:
      return "";
  }
  return "";
}

std::string seeds_sentence(std::size_t seeds) {
  if (seeds == 1)
    return "One seed proves little: `allot compare CONFIG --seeds 5` gives intervals.";
  if (seeds < kEnoughSeeds)
    return concat(seeds,
                  " seeds give wide intervals: `allot compare CONFIG --seeds 5` narrows them.");
  return "";
}

}  // namespace

TextTable summary_table(const Comparison& comparison) {
  TextTable table;
  const bool compares = comparison.arms.size() > 1;
  table.header = {"method", "seeds", "before", "after", "compute"};
  if (compares) {
    table.header.push_back("vs " + comparison.reference + ", equal compute");
    table.header.push_back("equal tokens");
    table.header.push_back(concat("compute to ", comparison.reference, "'s final"));
  }
  for (const ArmSummary& arm : comparison.arms) {
    const auto percent = [](const Estimate& e) { return percent_text(e); };
    std::vector<std::string> row = {
        arm.name, std::to_string(arm.seeds.size()), or_absent(arm.accuracy_before, percent),
        or_absent(arm.accuracy_after, percent), count_text(total(arm, "compute"))};
    if (compares) {
      row.push_back(or_absent(arm.difference_at_compute, points_text));
      row.push_back(or_absent(arm.difference_at_generated, points_text));
      row.push_back(target_text(arm, arm.name == comparison.reference));
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

TextTable cost_table(const Comparison& comparison) {
  TextTable table;
  table.groups = {{"", 2}, {"rollouts", 3}, {"response tokens", 3}, {"seconds", 4}};
  table.header = {"method",  "steps",     "generated", "trained", "discarded", "generated",
                  "trained", "discarded", "generate",  "score",   "train",     "all"};
  for (const ArmSummary& arm : comparison.arms) {
    const double steps = total(arm, "steps").mean;
    std::vector<std::string> row = {arm.name,
                                    fixed_text(steps, steps == std::floor(steps) ? 0 : 1)};
    for (const char* name : {"rollouts_generated", "rollouts_trained", "rollouts_discarded",
                             "generated", "tokens_trained", "tokens_discarded"})
      row.push_back(count_text(total(arm, name)));
    for (const char* name : {"generate_s", "score_s", "train_s", "step_s"})
      row.push_back(count_text(total(arm, name).mean));
    table.rows.push_back(std::move(row));
  }
  return table;
}

namespace {

const SeedTarget* target_of(const ArmSummary& arm, std::uint64_t seed) {
  for (const SeedTarget& target : arm.seed_targets)
    if (target.seed == seed) return &target;
  return nullptr;
}

std::string seed_target_text(const SeedTarget* target) {
  if (!target) return kAbsent;
  return target->cost ? count_text(*target->cost) : "> " + count_text(target->spent);
}

}  // namespace

TextTable difference_table(const Comparison& comparison) {
  TextTable table;
  table.header = {"method",
                  "at equal",
                  "that is",
                  "seeds",
                  "difference",
                  "95 % t interval",
                  "95 % bootstrap interval"};
  const auto interval_text = [](const std::optional<Interval>& interval) -> std::string {
    if (!interval) return kAbsent;
    return concat("[", points_text({interval->low, 1, std::nullopt}), ", ",
                  points_text({interval->high, 1, std::nullopt}), "]");
  };
  for (const ArmSummary& arm : comparison.arms)
    compared_axes([&](Axis axis, const char* name, auto common, auto difference, auto bootstrap) {
      const std::optional<Estimate>& d = arm.*difference;
      if (!d) return;
      table.rows.push_back({arm.name, name,
                            axis == Axis::Seconds ? seconds_text(comparison.*common)
                                                  : count_text(comparison.*common),
                            std::to_string(d->n), points_text({d->mean, 1, std::nullopt}),
                            interval_text(d->interval), interval_text(arm.*bootstrap)});
    });
  return table;
}

TextTable seed_table(const Comparison& comparison) {
  TextTable table;
  table.header = {"method",    "seed",    "before",
                  "after",     "steps",   "compute",
                  "generated", "seconds", concat("compute to ", comparison.reference, "'s final")};
  for (const ArmSummary& arm : comparison.arms)
    for (const std::size_t i : arm.runs) {
      if (i >= comparison.runs.size()) break;  // read from compare.json, which has the arms only
      const RunData& run = comparison.runs[i];
      const bool evaluated = !run.evaluations.empty();
      table.rows.push_back(
          {arm.name, std::to_string(run.seed),
           evaluated ? percent_text(run.evaluations.front().pass_at_1) : kAbsent,
           evaluated ? percent_text(run.evaluations.back().pass_at_1) : kAbsent,
           std::to_string(run.rows.size()), count_text(static_cast<double>(run.totals.compute)),
           count_text(static_cast<double>(run.totals.generated)), count_text(run.totals.step_s),
           seed_target_text(target_of(arm, run.seed))});
    }
  return table;
}

TextTable benchmark_table(const Comparison& comparison) {
  TextTable table;
  table.header = {"method", "set", "seeds", "after"};
  if (comparison.arms.size() > 1) table.header.push_back("vs " + comparison.reference);
  for (const BenchmarkRow& row : comparison.benchmarks)
    table.rows.push_back({row.arm, row.set, std::to_string(row.after.n), percent_text(row.after),
                          or_absent(row.difference, points_text)});
  return table;
}

std::string comparison_csv(const Comparison& comparison) {
  TextTable table;
  table.header = {"arm", "method", "seed", "status", "steps", "accuracy_before", "accuracy_after"};
  RunTotals::columns([&](const char* name, auto) { table.header.emplace_back(name); });
  for (const char* name : {"target", "target_compute", "target_reached", "folder"})
    table.header.emplace_back(name);
  for (const ArmSummary& arm : comparison.arms)
    for (const std::size_t i : arm.runs) {
      const RunData& run = comparison.runs[i];
      const bool evaluated = !run.evaluations.empty();
      std::vector<std::string> row = {
          arm.name,
          run.method,
          std::to_string(run.seed),
          allot::name(run.status),
          std::to_string(run.rows.size()),
          evaluated ? csv_number(run.evaluations.front().pass_at_1) : "",
          evaluated ? csv_number(run.evaluations.back().pass_at_1) : ""};
      RunTotals::columns([&](const char*, auto member) {
        row.push_back(csv_number(static_cast<double>(run.totals.*member)));
      });
      const SeedTarget* target = target_of(arm, run.seed);
      row.push_back(target ? csv_number(target->target) : "");
      row.push_back(target ? csv_number(target->cost.value_or(target->spent)) : "");
      row.push_back(target ? (target->cost ? "1" : "0") : "");
      row.push_back(run.path.lexically_normal().generic_string());
      table.rows.push_back(std::move(row));
    }
  return csv_text(table);
}

std::vector<std::string> verdict(const Comparison& comparison) {
  if (comparison.arms.empty()) return {"There are no runs here."};
  std::vector<std::string> sentences = {accuracy_sentence(comparison.arms[0])};
  for (std::size_t i = 1; i < comparison.arms.size(); ++i) {
    const ArmSummary& arm = comparison.arms[i];
    sentences.push_back(arm.difference_at_compute
                            ? concat("At equal compute ",
                                     difference_clause(arm, comparison.reference),
                                     target_clause(arm, comparison.reference), ".")
                            : accuracy_sentence(arm));
  }
  std::size_t unfinished = 0, runs = 0;
  for (const ArmSummary& arm : comparison.arms) {
    unfinished += arm.seeds.size() - arm.finished;
    runs += arm.seeds.size();
  }
  if (unfinished > 0)
    sentences.push_back(concat(unfinished, " of ", runs, " runs did not finish."));
  const std::string caution = seeds_sentence(fewest_seeds(comparison));
  if (comparison.arms.size() > 1 && !caution.empty()) sentences.push_back(caution);
  return sentences;
}

namespace {

using TableText = std::string (*)(const TextTable&);

// What fits a terminal whatever was compared: a row per method.
std::string main_tables(const Comparison& comparison, TableText table_text) {
  std::string text;
  for (const std::string& sentence : verdict(comparison)) text += sentence + "\n";
  if (comparison.arms.empty()) return text;
  text += "\nHeld-out accuracy (pass@1)";
  if (comparison.arms.size() > 1)
    text += concat("; differences in points at ", count_text(comparison.common_compute),
                   " positions of compute and at ", count_text(comparison.common_generated),
                   " generated tokens");
  text += "\n\n" + table_text(summary_table(comparison));
  if (comparison.benchmarks.size() > comparison.arms.size())
    text += "\nPer evaluation set, after training\n\n" + table_text(benchmark_table(comparison));
  return text + "\nCost per run\n\n" + table_text(cost_table(comparison));
}

}  // namespace

std::string terminal_table(const Comparison& comparison) {
  return main_tables(comparison, plain_text);
}

std::string markdown_tables(const Comparison& comparison) {
  std::string text = main_tables(comparison, markdown);
  const TextTable differences = difference_table(comparison);
  if (!differences.rows.empty())
    text += concat("\nDifferences from ", comparison.reference, " at equal cost, in points\n\n",
                   markdown(differences));
  if (comparison.runs.size() > comparison.arms.size())
    text += "\nEvery seed\n\n" + markdown(seed_table(comparison));
  return text;
}

}  // namespace allot
