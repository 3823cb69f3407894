#include "allot/report/prompt_charts.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "allot/core/error.h"
#include "allot/report/ledger.h"
#include "allot/report/number_text.h"
#include "allot/report/report_charts.h"

namespace allot {
namespace {

constexpr std::size_t kRateBins = 11;     // 0 %, 10 %, ... 100 %, each with what rounds to it
constexpr std::size_t kStatePoints = 80;  // of the areas
constexpr std::size_t kLinePoints = 120;
constexpr double kLeastShare = 0.002;  // of the visits: bins with fewer of them would only be noise

// Points of one arm's runs, merged by their mean where several runs have the step.
Curve mean_curve(const std::vector<Curve>& curves) {
  Curve mean;
  for (const BandPoint& point : band_over(curves, kLinePoints))
    mean.push_back({point.x, point.mean});
  return mean;
}

template <class MakeCurve>
std::vector<SvgSeries> arm_lines(const Comparison& comparison, MakeCurve make) {
  std::vector<SvgSeries> all;
  const std::size_t window = reward_window(comparison);
  for (std::size_t a = 0; a < comparison.arms.size(); ++a) {
    std::vector<Curve> curves;
    for (const std::size_t run : comparison.arms[a].runs) {
      Curve curve = smoothed(make(comparison.runs[run]), window);
      if (!curve.empty()) curves.push_back(std::move(curve));
    }
    SvgSeries series{comparison.arms[a].name, arm_color(comparison, a)};
    for (const CurvePoint& point : mean_curve(curves))
      series.points.push_back({point.x, point.y, std::nullopt, std::nullopt});
    if (!series.points.empty()) all.push_back(std::move(series));
  }
  return all;
}

std::string ends_text(const std::vector<SvgSeries>& series, bool percent) {
  std::string text;
  for (const SvgSeries& s : series) {
    const auto value = [&](double v) { return percent ? percent_text(v) : fixed_text(v, 1); };
    text += concat(s.name, " goes from ", value(s.points.front().mean), " to ",
                   value(s.points.back().mean), ". ");
  }
  return text;
}

// Mean rollouts per visit by tenths of the first-round pass rate.
std::vector<BandPoint> rollouts_by_rate(const Comparison& comparison, const ArmSummary& arm) {
  std::array<double, kRateBins> rollouts{}, visits{};
  double all = 0;
  for (const std::size_t run : arm.runs)
    for (const PromptVisit& visit : comparison.runs[run].history.visits) {
      if (visit.verdicts == 0) continue;
      const double rate = static_cast<double>(visit.right) / visit.verdicts;
      const auto bin = static_cast<std::size_t>(std::lround(rate * (kRateBins - 1)));
      rollouts[bin] += visit.generated;
      visits[bin] += 1;
      all += 1;
    }
  std::vector<BandPoint> points;
  for (std::size_t bin = 0; bin < kRateBins; ++bin)
    if (visits[bin] > 0 && visits[bin] >= kLeastShare * all)
      points.push_back({static_cast<double>(bin) / (kRateBins - 1), rollouts[bin] / visits[bin],
                        std::nullopt, std::nullopt});
  return points;
}

Curve signal_curve(const RunData& run) {
  Curve curve;
  double planned = 0, with_signal = 0;
  const auto& visits = run.history.visits;
  for (std::size_t i = 0; i < visits.size(); ++i) {
    planned += 1;
    with_signal += visits[i].cause == ZeroCause::None;
    if (i + 1 < visits.size() && visits[i + 1].step == visits[i].step) continue;
    curve.push_back({static_cast<double>(visits[i].step), with_signal / planned});
    planned = with_signal = 0;
  }
  return curve;
}

Curve rollouts_curve(const RunData& run) {
  Curve curve;
  std::uint64_t before = 0;
  for (const StepRow& row : run.rows) {
    curve.push_back({static_cast<double>(row.step),
                     static_cast<double>(row.totals.rollouts_generated - before)});
    before = row.totals.rollouts_generated;
  }
  return curve;
}

// Classes of the map, in the order of the ledger.
std::size_t map_class(const LedgerRow& row) {
  switch (row.state) {
    case PromptState::Dead:
      return 0;
    case PromptState::Solved:
      return 4;
    case PromptState::Unseen:
      return 5;
    case PromptState::Mixed:
      break;
  }
  const double rate = row.latest_rate().value_or(0);
  return rate < 1.0 / 3 ? 1 : rate <= 2.0 / 3 ? 2 : 3;
}

}  // namespace

std::optional<LineChart> rollouts_over_rate_chart(const Comparison& comparison) {
  LineChart chart;
  for (std::size_t a = 0; a < comparison.arms.size(); ++a) {
    SvgSeries series{comparison.arms[a].name, arm_color(comparison, a)};
    series.points = rollouts_by_rate(comparison, comparison.arms[a]);
    series.markers = true;
    if (!series.points.empty()) chart.series.push_back(std::move(series));
  }
  if (chart.series.empty()) return std::nullopt;
  chart.title = "Rollouts per prompt over its pass rate";
  chart.description =
      "Mean number of rollouts that a planned prompt got in a step, by the share "
      "of right answers in its first round. " +
      ends_text(chart.series, false);
  chart.x_label = "first-round pass rate in the step (%)";
  chart.y_label = "rollouts per prompt and step (mean)";
  chart.x_format = TickFormat::Percent;
  chart.y_from = 0;
  return chart;
}

std::optional<LineChart> rollouts_over_steps_chart(const Comparison& comparison) {
  LineChart chart;
  chart.series = arm_lines(comparison, rollouts_curve);
  if (chart.series.empty()) return std::nullopt;
  chart.title = "Rollouts per step";
  chart.description = ends_text(chart.series, false);
  chart.x_label = "step";
  chart.y_label = "rollouts generated in a step";
  chart.y_from = 0;
  return chart;
}

std::optional<LineChart> signal_over_steps_chart(const Comparison& comparison) {
  LineChart chart;
  chart.series = arm_lines(comparison, signal_curve);
  if (chart.series.empty()) return std::nullopt;
  chart.title = "Prompts with a signal";
  chart.description = ends_text(chart.series, true);
  chart.x_label = "step";
  chart.y_label = "share of planned prompts (%)";
  chart.y_format = TickFormat::Percent;
  return chart;
}

std::optional<AreaChart> state_chart(const RunData& run, const std::string& arm) {
  const std::vector<LedgerAfterStep> steps = ledger_over_steps(run.history);
  if (steps.empty()) return std::nullopt;
  AreaChart chart;
  chart.title = concat(arm, ": prompts by state");
  chart.x_label = "step";
  chart.y_label = "prompts";
  chart.parts = {{"dead", "hopeless", {}},
                 {"mixed", "good", {}},
                 {"solved", "solved", {}},
                 {"unseen", "other", {}}};
  const std::size_t points = std::min(kStatePoints, steps.size());
  for (std::size_t i = 0; i < points; ++i) {
    const std::size_t at = points > 1 ? i * (steps.size() - 1) / (points - 1) : 0;
    const LedgerCounts& c = steps[at].counts;
    chart.x.push_back(static_cast<double>(steps[at].step));
    const std::array<std::uint64_t, 4> counts = {c.dead, c.mixed, c.solved, c.unseen};
    for (std::size_t p = 0; p < counts.size(); ++p)
      chart.parts[p].values.push_back(static_cast<double>(counts[p]));
  }
  const LedgerCounts& c = steps.back().counts;
  chart.description = concat("After the last step ", c.dead, " prompts are dead, ", c.mixed,
                             " mixed, ", c.solved, " solved and ", c.unseen, " unseen.");
  return chart;
}

std::optional<CellMap> prompt_map(const RunData& run, const std::string& arm) {
  if (run.history.visits.empty()) return std::nullopt;
  const RunLedger ledger = ledger_of(run.history);
  CellMap map;
  map.classes = {{"dead", "hopeless", 0},   {"below 1/3", "rate-low", 0},
                 {"to 2/3", "rate-mid", 0}, {"above 2/3", "rate-high", 0},
                 {"solved", "solved", 0},   {"unseen", "other", 0}};
  const std::size_t all = ledger.rows.size(), shown = std::min(kMapCells, all);
  for (const LedgerRow& row : ledger.rows) ++map.classes[map_class(row)].prompts;
  for (std::size_t i = 0; i < shown; ++i)
    map.cells.push_back(map_class(ledger.rows[i * all / shown]));
  map.title = concat(arm, ": prompt map");
  map.description = concat(
      all, " prompts from dead to solved by their latest visits",
      all > shown
          ? concat("; every ", fixed_text(static_cast<double>(all) / static_cast<double>(shown), 1),
                   "th is shown")
          : std::string(),
      ".");
  return map;
}

std::optional<LineChart> calibration_chart(const Comparison& comparison) {
  LineChart chart;
  for (std::size_t a = 0; a < comparison.arms.size(); ++a) {
    const Calibration c = calibration_of(comparison.runs[comparison.arms[a].runs.front()].history);
    SvgSeries series{comparison.arms[a].name, arm_color(comparison, a)};
    series.markers = true;
    for (const CalibrationBin& bin : c.bins) {
      const double n = static_cast<double>(bin.verdicts);
      if (n >= 1 && n >= kLeastShare * static_cast<double>(c.verdicts))
        series.points.push_back(
            {bin.forecast_sum / n, static_cast<double>(bin.right) / n, std::nullopt, std::nullopt});
    }
    if (!series.points.empty()) chart.series.push_back(std::move(series));
  }
  if (chart.series.empty()) return std::nullopt;
  SvgSeries perfect{"perfect forecast", 8};
  perfect.points = {{0, 0, std::nullopt, std::nullopt}, {1, 1, std::nullopt, std::nullopt}};
  chart.series.push_back(std::move(perfect));
  chart.title = "Forecast and seen pass rates";
  chart.description =
      "Share of right first-round answers over the pass rate forecast from the prompt's earlier "
      "visits. Points on the dashed line are perfectly calibrated.";
  chart.x_label = "forecast pass rate (%)";
  chart.y_label = "seen pass rate (%)";
  chart.x_format = chart.y_format = TickFormat::Percent;
  return chart;
}

}  // namespace allot
