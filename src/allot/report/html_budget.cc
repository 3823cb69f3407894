// Where the budget went: stacked bars and pictures of rollouts, and why prompts gave no signal.
#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

#include "allot/core/error.h"
#include "allot/report/html_parts.h"
#include "allot/report/html_sections.h"
#include "allot/report/html_text.h"
#include "allot/report/number_text.h"
#include "allot/report/prompt_charts.h"
#include "allot/report/report_charts.h"
#include "allot/report/table.h"

namespace allot {
namespace {

struct BarPart {
  std::string label;
  const char* color;
  double value;
};

// One row: arm, stacked bar, and the number of every part.
std::string bar_row(const std::string& name, int color, const std::vector<BarPart>& parts,
                    double whole, const std::vector<std::string>& texts) {
  std::string out = concat("<tr><th scope=\"row\">", html_dot(color), html_escaped(name),
                           "</th><td class=\"wide\" aria-hidden=\"true\"><div class=\"bar\">");
  for (const BarPart& part : parts)
    if (whole > 0 && part.value > 0)
      out += concat("<i style=\"width:", fixed_text(100 * part.value / whole, 2),
                    "%;background:var(--", part.color, ")\"></i>");
  out += "</div></td>";
  for (const std::string& text : texts) out += concat("<td>", html_escaped(text), "</td>");
  return out + "</tr>\n";
}

std::string bar_table_head(const std::vector<BarPart>& parts, const char* caption,
                           const char* last) {
  std::string out = concat("<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"",
                           caption, "\"><table><caption>", caption,
                           "</caption><thead><tr><th scope=\"col\">method</th><td></td>");
  for (const BarPart& part : parts)
    out += concat("<th scope=\"col\">", html_key(part.color), html_escaped(part.label), "</th>");
  return out + concat("<th scope=\"col\">", last, "</th></tr></thead><tbody>\n");
}

double mean_total(const ArmSummary& arm, const char* name) {
  const auto found = arm.totals.find(name);
  return found == arm.totals.end() ? 0 : found->second.mean;
}

// A table of stacked bars; `parts_of` lists the same parts for every arm.
template <class PartsOf, class Text>
std::string bar_table(const Comparison& comparison, const char* caption, const char* last,
                      bool common_scale, PartsOf parts_of, Text text) {
  double longest = 0;
  for (const ArmSummary& arm : comparison.arms) {
    double sum = 0;
    for (const BarPart& part : parts_of(arm)) sum += part.value;
    longest = std::max(longest, sum);
  }
  std::string out = bar_table_head(parts_of(comparison.arms[0]), caption, last);
  for (std::size_t a = 0; a < comparison.arms.size(); ++a) {
    const std::vector<BarPart> parts = parts_of(comparison.arms[a]);
    double sum = 0;
    for (const BarPart& part : parts) sum += part.value;
    std::vector<std::string> texts;
    for (const BarPart& part : parts) texts.push_back(text(part.value, sum));
    texts.push_back(text(sum, 0));
    out += bar_row(comparison.arms[a].name, arm_color(comparison, a), parts,
                   common_scale ? longest : sum, texts);
  }
  return out + "</tbody></table></div>\n";
}

std::string token_bars(const Comparison& comparison) {
  return bar_table(
      comparison, "Generated tokens by what became of them", "all", true,
      [](const ArmSummary& arm) {
        const double lost = mean_total(arm, "tokens_discarded");
        const double kept = std::max(0.0, mean_total(arm, "generated") - lost);
        return std::vector<BarPart>{{"trained on or held", "kept", kept},
                                    {"discarded", "lost", lost}};
      },
      [](double value, double whole) {
        return whole > 0 ? concat(count_text(value), " (", percent_text(value / whole), ")")
                         : count_text(value);
      });
}

std::string time_bars(const Comparison& comparison) {
  return bar_table(
      comparison, "Seconds by phase", "all", true,
      [](const ArmSummary& arm) {
        const double generate = mean_total(arm, "generate_s"), score = mean_total(arm, "score_s"),
                     train = mean_total(arm, "train_s");
        const double rest = mean_total(arm, "step_s") - generate - score - train;
        return std::vector<BarPart>{{"generating", "series-2", generate},
                                    {"scoring", "series-6", score},
                                    {"training", "series-3", train},
                                    {"rest", "other", std::max(0.0, rest)}};
      },
      [](double value, double) { return seconds_text(value); });
}

constexpr std::array<std::pair<const char*, const char*>, 4> kMainCauses = {
    {{"none", "with signal"},
     {"all_right", "all right"},
     {"all_wrong", "all wrong"},
     {"tie", "tie"}}};

}  // namespace

std::string html_budget(const Comparison& comparison) {
  const TextTable costs = cost_table(comparison);
  std::string out =
      html_table({costs, "Cost of each method per run", colors_by_name(costs, comparison), 1});
  out += html_element("h3", "Generated tokens") + token_bars(comparison);
  out += html_element("h3", "Time") + time_bars(comparison);
  std::vector<std::string> figures;
  if (const auto chart = rollouts_over_rate_chart(comparison))
    figures.push_back(html_figure(*chart, "by-rate"));
  if (const auto chart = rollouts_over_steps_chart(comparison))
    figures.push_back(html_figure(*chart, "by-step"));
  if (const auto chart = signal_over_steps_chart(comparison))
    figures.push_back(html_figure(*chart, "signal"));
  const std::vector<BarChart> charts = rollout_charts(comparison);
  for (std::size_t i = 0; i < charts.size(); ++i)
    figures.push_back(html_figure(charts[i], concat("n", i)));
  if (!figures.empty()) out += html_element("h3", "Rollouts per prompt") + html_figures(figures);
  return html_section("budget", "Where the budget went", out);
}

std::string html_causes(const Comparison& comparison) {
  std::map<std::string, std::uint64_t> rest;
  for (const RunData& run : comparison.runs)
    for (const auto& [cause, count] : run.zero_causes) rest[cause] += count;
  std::uint64_t groups = 0;
  for (const auto& [cause, count] : rest) groups += count;
  if (groups == 0) return "";
  for (const auto& [cause, label] : kMainCauses) rest.erase(cause);

  std::string out = html_element(
      "p",
      "Every planned prompt either carried a signal (rewards of its rollouts differ) or "
      "has exactly one cause for carrying none.",
      "note");
  out += bar_table(
      comparison, "Planned prompts by signal", "prompts", false,
      [&](const ArmSummary& arm) {
        std::map<std::string, double> counts;
        for (const std::size_t run : arm.runs)
          for (const auto& [cause, count] : comparison.runs[run].zero_causes)
            counts[cause] += static_cast<double>(count);
        std::vector<BarPart> parts = {{"with signal", "good", counts["none"]},
                                      {"all right", "solved", counts["all_right"]},
                                      {"all wrong", "hopeless", counts["all_wrong"]}};
        double other = counts["tie"];
        for (const auto& [cause, count] : rest) other += counts[cause];
        parts.push_back({"other", "other", other});
        return parts;
      },
      [](double value, double whole) {
        return whole > 0 ? percent_text(value / whole) : count_text(value);
      });
  if (rest.empty()) return html_section("causes", "Prompts without a signal", out);
  std::string others = "Other causes, over all runs:";
  for (const auto& [cause, count] : rest) {
    std::string words = cause;
    std::replace(words.begin(), words.end(), '_', ' ');
    others += concat(" ", words, " ", count, ";");
  }
  others.back() = '.';
  return html_section("causes", "Prompts without a signal",
                      out + html_element("p", others, "note"));
}

}  // namespace allot
