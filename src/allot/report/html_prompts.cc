// What was known of the prompts: how good forecasts were, states over time, the map.
#include <algorithm>
#include <cmath>

#include "allot/core/error.h"
#include "allot/report/html_parts.h"
#include "allot/report/html_sections.h"
#include "allot/report/html_text.h"
#include "allot/report/ledger.h"
#include "allot/report/number_text.h"
#include "allot/report/prompt_charts.h"

namespace allot {
namespace {

constexpr std::size_t kListed = 12;     // prompts of a table
constexpr std::size_t kMappedArms = 6;  // arms with pictures of their prompts

// Means of what the method said of its own forecasts; "" if it said nothing.
std::string own_forecast(const RunData& run) {
  double sum = 0, n = 0;
  for (const MetricPoint& point : run.own_brier)
    if (std::isfinite(point.value)) sum += point.value, n += 1;
  return n > 0 ? fixed_text(sum / n, 3) : "-";
}

std::string counts_table(const Comparison& comparison) {
  TextTable table;
  table.header = {"method", "dead", "mixed", "solved", "unseen"};
  for (const ArmSummary& arm : comparison.arms) {
    const RunData& run = comparison.runs[arm.runs[0]];
    if (run.history.visits.empty()) continue;
    const LedgerCounts c = ledger_of(run.history).counts;
    table.rows.push_back({arm.name, std::to_string(c.dead), std::to_string(c.mixed),
                          std::to_string(c.solved), std::to_string(c.unseen)});
  }
  return html_table(
      {table, "Prompts by state after the last step", colors_by_name(table, comparison), 1});
}

// The most expensive dead prompts: what a user may want to take out or make easier.
std::string dead_table(const RunData& run, const std::string& arm) {
  const RunLedger ledger = ledger_of(run.history);
  std::vector<const LedgerRow*> dead = filtered(ledger, {.dead = true});
  std::stable_sort(dead.begin(), dead.end(),
                   [](const LedgerRow* a, const LedgerRow* b) { return a->tokens > b->tokens; });
  if (dead.empty()) return "";
  TextTable table;
  table.header = {"prompt", "text", "wrong in a row", "pass rate below", "rollouts", "tokens"};
  for (const LedgerRow* row : dead) {
    if (table.rows.size() == kListed) break;
    table.rows.push_back({clipped_text(row->key, 60), clipped_text(row->text, 120),
                          std::to_string(row->streak.wrong),
                          percent_text(pass_rate_bound(row->streak.wrong)),
                          std::to_string(row->rollouts), std::to_string(row->tokens)});
  }
  return concat("<details><summary>", html_escaped(arm), ": ", dead.size(),
                " dead prompts, the most expensive first</summary>\n",
                html_table({table, arm + ": dead prompts", {}, 2}), "</details>\n");
}

}  // namespace

std::string html_knowledge(const Comparison& comparison) {
  const auto chart = calibration_chart(comparison);
  if (!chart) return "";
  TextTable table;
  table.header = {"method", "visits with a forecast", "Brier score", "of the base rate",
                  "the method's own"};
  for (const ArmSummary& arm : comparison.arms) {
    const RunData& run = comparison.runs[arm.runs[0]];
    const Calibration c = calibration_of(run.history);
    if (c.verdicts == 0) continue;
    table.rows.push_back({arm.name, std::to_string(c.visits), fixed_text(c.brier, 3),
                          fixed_text(c.base_brier, 3), own_forecast(run)});
  }
  const std::string note =
      "Forecast of a prompt's pass rate: the share of right answers in its earlier first rounds, "
      "drawn towards a half; seen: its first round now. A Brier score (mean squared error) below "
      "that of the base rate says that the past of a prompt tells something; 0 would be perfect. "
      "Pass rates that rise while training lie above the line.";
  return html_section(
      "knowledge", "What was known of the prompts",
      html_element("p", note, "note") + html_figures({html_figure(*chart, "calibration")}) +
          html_table({table, "Forecasts of pass rates", colors_by_name(table, comparison), 1}));
}

std::string html_prompts(const Comparison& comparison) {
  std::vector<std::string> figures;
  std::string dead;
  for (std::size_t a = 0; a < std::min(kMappedArms, comparison.arms.size()); ++a) {
    const ArmSummary& arm = comparison.arms[a];
    const RunData& run = comparison.runs[arm.runs[0]];
    const auto states = state_chart(run, arm.name);
    const auto map = prompt_map(run, arm.name);
    if (!states || !map) continue;
    figures.push_back(html_figure(*states, concat("states", a)));
    figures.push_back(html_figure(*map, concat("map", a)));
    dead += dead_table(run, arm.name);
  }
  if (figures.empty()) return "";
  const std::string note =
      concat("Dead: all first-round answers of a prompt's latest visits were wrong, at least ",
             kLeastVerdicts,
             " of them; solved: all were right; mixed: anything else; unseen: no answer "
             "yet. First seed of each method. `allot ledger RUN` lists them all.");
  return html_section(
      "prompts", "Prompts from dead to solved",
      html_element("p", note, "note") + counts_table(comparison) + html_figures(figures) + dead);
}

}  // namespace allot
