// The page: its frame, the verdict, results and curves. The other sections: html_sections.h.
#include "allot/report/html.h"

#include <utility>
#include <vector>

#include "allot/core/durable_file.h"
#include "allot/core/error.h"
#include "allot/report/html_parts.h"
#include "allot/report/html_sections.h"
#include "allot/report/html_style.h"
#include "allot/report/html_text.h"
#include "allot/report/number_text.h"
#include "allot/report/report_charts.h"
#include "allot/report/table.h"

namespace allot {
namespace {

std::string header_section(const Comparison& comparison) {
  std::string line;
  const auto add = [&](const std::string& text) {
    if (!text.empty()) line += (line.empty() ? "" : " · ") + text;
  };
  add(fact_of(comparison, "task"));
  add(fact_of(comparison, "model"));
  add(concat(comparison.arms.size(), comparison.arms.size() == 1 ? " method" : " methods"));
  add(concat(comparison.runs.size(), comparison.runs.size() == 1 ? " run" : " runs"));
  std::string out =
      "<header>\n" + html_element("h1", comparison.title) + html_element("p", line, "sub");
  out += "</header>\n<div class=\"verdict\" role=\"note\" aria-label=\"Verdict\">\n";
  for (const std::string& sentence : verdict(comparison)) out += html_element("p", sentence);
  return out + "</div>\n";
}

template <class MakeChart>
std::string chart_row(const Comparison& comparison, const char* id, MakeChart make) {
  std::vector<std::string> figures;
  for (const Axis axis : {Axis::Compute, Axis::Generated, Axis::Seconds}) {
    const std::optional<LineChart> chart = make(comparison, axis);
    if (!chart) return "";
    figures.push_back(html_figure(*chart, concat(id, figures.size())));
  }
  return html_figures(figures);
}

std::string accuracy_section(const Comparison& comparison) {
  const std::string figures = chart_row(comparison, "acc", accuracy_chart);
  if (figures.empty())
    return html_section("accuracy", "Held-out accuracy",
                        html_element("p", "No evaluation was recorded.", "note"));
  std::string note =
      "Compute = prompt positions prefilled + tokens generated + 3 x positions trained (+ "
      "positions "
      "only scored).";
  if (has_several_seeds(comparison)) note += " Bands: 95 % t interval of the mean over seeds.";
  return html_section("accuracy", "Held-out accuracy", html_element("p", note, "note") + figures);
}

std::string reward_section(const Comparison& comparison) {
  const std::string figures = chart_row(comparison, "rew", reward_chart);
  if (figures.empty())
    return html_section("reward", "First-round reward",
                        html_element("p", "No step was recorded.", "note"));
  const std::size_t window = reward_window(comparison);
  const std::string note =
      "Mean reward of the rollouts drawn first, independently of their outcomes: the training "
      "curve "
      "that can be compared across methods." +
      (window > 1 ? concat(" Moving mean over ", window, " steps.") : "");
  return html_section("reward", "First-round reward", html_element("p", note, "note") + figures);
}

// Links to the sections that are there.
std::string contents(const std::string& page) {
  constexpr std::pair<const char*, const char*> kSections[] = {
      {"result", "Result"},      {"accuracy", "Accuracy"}, {"reward", "Reward"},
      {"budget", "Budget"},      {"causes", "Signal"},     {"knowledge", "Forecasts"},
      {"prompts", "Prompts"},    {"samples", "Rollouts"},  {"warnings", "Warnings"},
      {"setup", "Configuration"}};
  std::string links;
  for (const auto& [id, label] : kSections)
    if (page.find(concat("<section id=\"", id, "\"")) != std::string::npos)
      links += concat("<a href=\"#", id, "\">", label, "</a>\n");
  return links.empty() ? "" : "<nav aria-label=\"Sections\">\n" + links + "</nav>\n";
}

}  // namespace

std::string html_results(const Comparison& comparison) {
  std::string note = "Held-out accuracy is pass@1 on prompts never trained on.";
  if (comparison.arms.size() > 1)
    note += concat(
        " Differences are in percentage points, paired by seed, where every run has "
        "spent the same: ",
        count_text(comparison.common_compute), " positions of compute, or ",
        count_text(comparison.common_generated),
        " generated tokens. The last column is the compute to reach ", comparison.reference,
        "'s final accuracy, relative to ", comparison.reference,
        "'s own; it is never extrapolated.");
  std::string out = html_element("p", note, "note");
  const auto add = [&](const TextTable& table, const std::string& caption, std::size_t left) {
    out += html_table({table, caption, colors_by_name(table, comparison), left});
  };
  add(summary_table(comparison), "Result of each method", 1);
  if (const TextTable table = difference_table(comparison); !table.rows.empty()) {
    out += html_element("h3", "Differences at equal cost");
    if (has_several_seeds(comparison))
      out += html_element("p",
                          "An interval that contains 0 shows no difference. The bootstrap interval "
                          "is too narrow with few seeds: of five it covers the truth in 84 of 100 "
                          "cases; go by the t interval.",
                          "note");
    add(table, "Differences from " + comparison.reference + " at equal cost, in points", 2);
  }
  if (comparison.benchmarks.size() > comparison.arms.size()) {
    out += html_element("h3", "Evaluation sets");
    add(benchmark_table(comparison), "Accuracy on each evaluation set", 2);
  }
  if (comparison.runs.size() > comparison.arms.size()) {
    out += concat("<details class=\"print\"><summary>Every seed</summary>\n",
                  html_element("p",
                               "\"> 30 k\" in the last column: the run spent 30 k and did not get "
                               "there; how much more it needs is not known.",
                               "note"));
    add(seed_table(comparison), "Every run", 1);
    out += "</details>\n";
  }
  return html_section("result", "Result", out);
}

std::string html_curves(const Comparison& comparison) {
  return accuracy_section(comparison) + reward_section(comparison);
}

std::string report_html(const Comparison& comparison) {
  std::string sections;
  if (!comparison.runs.empty())
    sections = html_results(comparison) + html_curves(comparison) + html_budget(comparison) +
               html_causes(comparison) + html_knowledge(comparison) + html_prompts(comparison) +
               html_samples(comparison) + html_events(comparison) + html_setup(comparison);
  const std::string version = fact_of(comparison, "env/version");
  return concat(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>",
      html_escaped(comparison.title), " · allot</title>\n<style>", kReportStyle,
      "</style></head>\n<body><main>\n", header_section(comparison), contents(sections), sections,
      "<footer>Written by allot", version.empty() ? "" : " " + html_escaped(version),
      ". This page is complete in itself: it loads nothing.</footer>\n</main></body></html>\n");
}

void write_report(const Comparison& comparison, const std::filesystem::path& path) {
  replace_file(path, report_html(comparison));
}

void write_figure(const Comparison& comparison, const std::filesystem::path& path) {
  const std::optional<LineChart> chart = accuracy_chart(comparison, Axis::Compute);
  if (!chart)
    throw Error(ErrorKind::Data, path.string(), "no run has an evaluation; one is needed",
                "set eval.every and train again");
  replace_file(path, svg_file(svg_line_chart(*chart, "figure")));
}

}  // namespace allot
