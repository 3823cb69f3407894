#include "allot/report/report_charts.h"

#include <algorithm>
#include <cmath>

#include "allot/core/error.h"
#include "allot/report/number_text.h"

namespace allot {
namespace {

constexpr std::size_t kPoints = 120;       // per line, whatever the number of steps
constexpr std::size_t kMarkedPoints = 30;  // up to so many, each point is shown
constexpr double kMinutesFrom = 300;       // seconds

struct AxisText {
  std::string label, phrase;
  double scale = 1;
};

AxisText axis_text(Axis axis, const Comparison& comparison) {
  if (axis == Axis::Compute) return {"compute (positions)", "compute", 1};
  if (axis == Axis::Generated) return {"generated tokens", "generated tokens", 1};
  if (axis == Axis::Rollouts) return {"generated rollouts", "generated rollouts", 1};
  double longest = 0;
  for (const RunData& run : comparison.runs) longest = std::max(longest, run.totals.step_s);
  if (longest >= kMinutesFrom) return {"training time (minutes)", "time", 1.0 / 60};
  return {"training time (seconds)", "time", 1};
}

template <class MakeCurve>
std::vector<SvgSeries> arm_series(const Comparison& comparison, double scale, MakeCurve make) {
  std::vector<SvgSeries> all;
  for (std::size_t a = 0; a < comparison.arms.size(); ++a) {
    std::vector<Curve> curves;
    for (const std::size_t run : comparison.arms[a].runs) {
      Curve curve = make(comparison.runs[run]);
      for (CurvePoint& point : curve) point.x *= scale;
      if (!curve.empty()) curves.push_back(std::move(curve));
    }
    if (curves.empty()) continue;
    // As many points as the curves have: a band is not made smoother than what was measured.
    std::size_t measured = 0;
    for (const Curve& curve : curves) measured = std::max(measured, curve.size());
    SvgSeries series{comparison.arms[a].name, arm_color(comparison, a)};
    series.points = band_over(curves, std::min(measured, kPoints));
    series.markers = series.points.size() <= kMarkedPoints;
    if (!series.points.empty()) all.push_back(std::move(series));
  }
  return all;
}

std::string described(const std::vector<SvgSeries>& series, bool percent) {
  std::string text;
  for (const SvgSeries& s : series) {
    const auto value = [&](double v) { return percent ? percent_text(v) : fixed_text(v, 3); };
    text += concat(s.name, " goes from ", value(s.points.front().mean), " to ",
                   value(s.points.back().mean), ". ");
  }
  return text;
}

}  // namespace

int arm_color(const Comparison& comparison, std::size_t arm) {
  return static_cast<int>(comparison.arms.size() == 1 ? 1 : arm);
}

std::optional<LineChart> accuracy_chart(const Comparison& comparison, Axis axis) {
  const AxisText text = axis_text(axis, comparison);
  LineChart chart;
  chart.series =
      arm_series(comparison, text.scale, [&](const RunData& run) { return run.accuracy(axis); });
  if (chart.series.empty()) return std::nullopt;
  chart.title = concat("Held-out accuracy over ", text.phrase);
  chart.description = described(chart.series, true);
  if (has_several_seeds(comparison)) chart.description += "Bands are 95 % intervals over seeds.";
  chart.x_label = text.label;
  chart.y_label = "held-out accuracy, pass@1 (%)";
  chart.y_format = TickFormat::Percent;
  if (comparison.arms.size() > 1 && comparison.arms[0].accuracy_after) {
    chart.mark = CurvePoint{0, comparison.arms[0].accuracy_after->mean};
    chart.mark_label = concat(comparison.reference, " at its end");
  }
  return chart;
}

std::size_t reward_window(const Comparison& comparison) {
  std::size_t longest = 0;
  for (const RunData& run : comparison.runs)
    longest = std::max(longest, run.first_round_reward.size());
  const std::size_t width = longest / 12;
  return width < 2 ? 1 : width | 1;  // odd, so that it is centred
}

std::optional<LineChart> reward_chart(const Comparison& comparison, Axis axis) {
  const AxisText text = axis_text(axis, comparison);
  const std::size_t window = reward_window(comparison);
  LineChart chart;
  chart.series = arm_series(comparison, text.scale,
                            [&](const RunData& run) { return smoothed(run.reward(axis), window); });
  if (chart.series.empty()) return std::nullopt;
  chart.title = concat("First-round reward over ", text.phrase);
  chart.description = described(chart.series, false);
  chart.x_label = text.label;
  chart.y_label = "first-round reward (mean)";
  return chart;
}

std::vector<BarChart> rollout_charts(const Comparison& comparison) {
  std::vector<BarChart> charts;
  double x_max = 0, y_max = 0;
  for (std::size_t a = 0; a < comparison.arms.size(); ++a) {
    const ArmSummary& arm = comparison.arms[a];
    std::map<std::uint32_t, std::uint64_t> counts;
    std::uint64_t prompts = 0, rollouts = 0;
    for (const std::size_t run : arm.runs) {
      for (const auto& [n, count] : comparison.runs[run].rollouts_per_prompt) {
        counts[n] += count;
        prompts += count;
        rollouts += n * count;
      }
    }
    if (prompts == 0) continue;
    BarChart chart;
    const double mean = static_cast<double>(rollouts) / static_cast<double>(prompts);
    chart.title = concat(arm.name, ": ", fixed_text(mean, 1), " rollouts per prompt on average");
    for (const auto& [n, count] : counts) {
      const double share = static_cast<double>(count) / static_cast<double>(prompts);
      chart.bars.push_back({static_cast<double>(n), share});
      chart.description += concat(percent_text(share), " of prompts got ", n, ". ");
      x_max = std::max(x_max, static_cast<double>(n));
      y_max = std::max(y_max, share);
    }
    chart.x_label = "rollouts of a prompt in one step";
    chart.y_label = "share of prompts (%)";
    chart.color = arm_color(comparison, a);
    charts.push_back(std::move(chart));
  }
  for (BarChart& chart : charts) {
    chart.x_max = x_max;
    chart.y_max = y_max;
  }
  return charts;
}

}  // namespace allot
