// The page, section by section. Every piece of text from a run goes through html_escaped().
#include "allot/report/html.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <utility>

#include "allot/core/durable_file.h"
#include "allot/core/error.h"
#include "allot/report/html_style.h"
#include "allot/report/html_text.h"
#include "allot/report/number_text.h"
#include "allot/report/report_charts.h"
#include "allot/report/table.h"

namespace allot {
namespace {

constexpr std::size_t kSamplesPerArm = 4, kSampledArms = 6;
constexpr std::size_t kTextLimit = 1200, kConfigLimit = 20000;  // bytes shown of one text
constexpr std::size_t kEvents = 12;

std::string dot(int color) {
  return concat("<span class=\"dot\" style=\"background:", series_color(color), "\"></span>");
}

std::string element(const char* tag, const std::string& text, const char* css = "") {
  return concat("<", tag, *css ? concat(" class=\"", css, "\"") : "", ">", html_escaped(text), "</",
                tag, ">\n");
}

// The first cell of row i is arm i.
std::string html_table(const TextTable& table, const Comparison& comparison) {
  std::string out = "<div class=\"scroll\"><table><thead>";
  if (!table.groups.empty()) {
    out += "<tr>";
    for (const auto& [label, span] : table.groups)
      out += concat("<th colspan=\"", span, "\"", label.empty() ? "" : " class=\"group\"", ">",
                    html_escaped(label), "</th>");
    out += "</tr>";
  }
  out += "<tr>";
  for (const std::string& cell : table.header) out += concat("<th>", html_escaped(cell), "</th>");
  out += "</tr></thead><tbody>\n";
  for (std::size_t r = 0; r < table.rows.size(); ++r) {
    out += "<tr>";
    for (std::size_t c = 0; c < table.rows[r].size(); ++c) {
      const std::string text = html_escaped(table.rows[r][c]);
      out += c == 0 ? concat("<th>", dot(arm_color(comparison, r)), text, "</th>")
                    : concat("<td>", text, "</td>");
    }
    out += "</tr>\n";
  }
  return out + "</tbody></table></div>\n";
}

std::string fact(const Comparison& comparison, const char* key) {
  for (const RunData& run : comparison.runs) {
    const auto found = run.facts.find(key);
    if (found != run.facts.end() && !found->second.empty()) return found->second;
  }
  return "";
}

std::string header_section(const Comparison& comparison) {
  std::string line;
  const auto add = [&](const std::string& text) {
    if (!text.empty()) line += (line.empty() ? "" : " · ") + text;
  };
  add(fact(comparison, "task"));
  add(fact(comparison, "model"));
  add(concat(comparison.arms.size(), comparison.arms.size() == 1 ? " method" : " methods"));
  add(concat(comparison.runs.size(), comparison.runs.size() == 1 ? " run" : " runs"));
  std::string out = element("h1", comparison.title) + element("p", line, "sub");
  out += "<div class=\"verdict\">\n";
  for (const std::string& sentence : verdict(comparison)) out += element("p", sentence);
  out += "</div>\n";
  return out;
}

std::string result_section(const Comparison& comparison) {
  std::string out = element("h2", "Result");
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
  out += element("p", note, "note");
  return out + html_table(summary_table(comparison), comparison);
}

template <class MakeChart>
std::string chart_row(const Comparison& comparison, const char* id, MakeChart make) {
  std::string out;
  int number = 0;
  for (const Axis axis : {Axis::Compute, Axis::Generated, Axis::Seconds}) {
    const std::optional<LineChart> chart = make(comparison, axis);
    if (!chart) return "";
    out += concat("<figure>", element("h3", chart->title),
                  svg_line_chart(*chart, concat(id, number++)), "</figure>\n");
  }
  return "<div class=\"charts\">\n" + out + "</div>\n";
}

std::string curve_sections(const Comparison& comparison) {
  std::string out = element("h2", "Held-out accuracy");
  const std::string accuracy = chart_row(comparison, "acc", accuracy_chart);
  if (accuracy.empty()) {
    out += element("p", "No evaluation was recorded.", "note");
  } else {
    std::string note =
        "Compute = prompt positions prefilled + tokens generated + 3 x positions "
        "trained (+ positions only scored).";
    for (const ArmSummary& arm : comparison.arms)
      if (arm.runs.size() > 1) {
        note += " Bands: 95 % t interval of the mean over seeds.";
        break;
      }
    out += element("p", note, "note") + accuracy;
  }
  out += element("h2", "First-round reward");
  const std::string reward = chart_row(comparison, "rew", reward_chart);
  if (reward.empty()) return out + element("p", "No step was recorded.", "note");
  const std::size_t window = reward_window(comparison);
  out += element("p",
                 "Mean reward of the rollouts drawn first, independently of their outcomes: the "
                 "training curve that can be compared across methods." +
                     (window > 1 ? concat(" Moving mean over ", window, " steps.") : ""),
                 "note");
  return out + reward;
}

struct BarPart {
  std::string label;
  const char* color;
  double value;
};

// One row: arm, stacked bar, and the number of every part.
std::string bar_row(const std::string& name, int color, const std::vector<BarPart>& parts,
                    double whole, const std::vector<std::string>& texts) {
  std::string out = concat("<tr><th>", dot(color), html_escaped(name),
                           "</th><td class=\"wide\"><div class=\"bar\">");
  for (const BarPart& part : parts)
    if (whole > 0 && part.value > 0)
      out += concat("<i style=\"width:", fixed_text(100 * part.value / whole, 2),
                    "%;background:var(--", part.color, ")\"></i>");
  out += "</div></td>";
  for (const std::string& text : texts) out += concat("<td>", html_escaped(text), "</td>");
  return out + "</tr>\n";
}

std::string bar_table_head(const std::vector<BarPart>& parts, const char* last) {
  std::string out = "<div class=\"scroll\"><table><thead><tr><th>method</th><th></th>";
  for (const BarPart& part : parts)
    out += concat("<th><span class=\"key\" style=\"background:var(--", part.color, ")\"></span>",
                  html_escaped(part.label), "</th>");
  return out + concat("<th>", last, "</th></tr></thead><tbody>\n");
}

double mean_total(const ArmSummary& arm, const char* name) {
  const auto found = arm.totals.find(name);
  return found == arm.totals.end() ? 0 : found->second.mean;
}

// A table of stacked bars; `parts_of` lists the same parts for every arm.
template <class PartsOf, class Text>
std::string bar_table(const Comparison& comparison, const char* last, bool common_scale,
                      PartsOf parts_of, Text text) {
  double longest = 0;
  for (const ArmSummary& arm : comparison.arms) {
    double sum = 0;
    for (const BarPart& part : parts_of(arm)) sum += part.value;
    longest = std::max(longest, sum);
  }
  std::string out = bar_table_head(parts_of(comparison.arms[0]), last);
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
      comparison, "all", true,
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
      comparison, "all", true,
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

std::string budget_section(const Comparison& comparison) {
  std::string out = element("h2", "Where the budget went");
  out += html_table(cost_table(comparison), comparison);
  out += element("h3", "Generated tokens") + token_bars(comparison);
  out += element("h3", "Time") + time_bars(comparison);
  const std::vector<BarChart> charts = rollout_charts(comparison);
  if (charts.empty()) return out;
  out += element("h3", "Rollouts per prompt") + "<div class=\"charts\">\n";
  for (std::size_t i = 0; i < charts.size(); ++i)
    out += concat("<figure>", svg_bar_chart(charts[i], concat("n", i)),
                  element("figcaption", charts[i].title), "</figure>\n");
  return out + "</div>\n";
}

constexpr std::array<std::pair<const char*, const char*>, 4> kMainCauses = {
    {{"none", "with signal"},
     {"all_right", "all right"},
     {"all_wrong", "all wrong"},
     {"tie", "tie"}}};

std::string cause_section(const Comparison& comparison) {
  std::map<std::string, std::uint64_t> rest;
  for (const RunData& run : comparison.runs)
    for (const auto& [cause, count] : run.zero_causes) rest[cause] += count;
  std::uint64_t groups = 0;
  for (const auto& [cause, count] : rest) groups += count;
  if (groups == 0) return "";
  for (const auto& [cause, label] : kMainCauses) rest.erase(cause);

  std::string out = element("h2", "Prompts without a signal");
  out += element("p",
                 "Every planned prompt either carried a signal (rewards of its rollouts differ) or "
                 "has exactly one cause for carrying none.",
                 "note");
  out += bar_table(
      comparison, "prompts", false,
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
  if (rest.empty()) return out;
  std::string others = "Other causes, over all runs:";
  for (const auto& [cause, count] : rest) {
    std::string words = cause;
    std::replace(words.begin(), words.end(), '_', ' ');
    others += concat(" ", words, " ", count, ";");
  }
  others.back() = '.';
  return out + element("p", others, "note");
}

std::string sample_card(const SampleRow& sample) {
  std::string facts = concat("step ", sample.step, " · ", sample.tokens, " tokens · ");
  facts += sample.scored ? concat("reward ", fixed_text(sample.reward, 2)) : "not scored";
  facts += sample.advantage ? concat(" · advantage ", fixed_text(*sample.advantage, 2))
                            : std::string(" · not trained on");
  std::string out = concat("<div class=\"sample\"><p><b>", sample.correct ? "right" : "wrong",
                           "</b> · ", html_escaped(facts), "</p>\n<pre>");
  out += html_escaped(clipped_text(sample.prompt, kTextLimit)) + "</pre>\n<pre><b>";
  out += html_escaped(clipped_text(sample.response, kTextLimit)) + "</b></pre>\n<p>";
  out += html_escaped(concat(
      "read: ", sample.read_answer.empty() ? "nothing" : clipped_text(sample.read_answer, 200),
      " · reference: ", clipped_text(sample.answer, 200)));
  if (!sample.reason.empty()) out += html_escaped(" · " + clipped_text(sample.reason, 200));
  return out + "</p></div>\n";
}

std::string sample_section(const Comparison& comparison) {
  std::string out;
  for (std::size_t a = 0; a < std::min(kSampledArms, comparison.arms.size()); ++a) {
    const std::vector<SampleRow>& samples = comparison.runs[comparison.arms[a].runs[0]].samples;
    if (samples.empty()) continue;
    out += concat("<h3>", dot(arm_color(comparison, a)), html_escaped(comparison.arms[a].name),
                  "</h3>\n<div class=\"samples\">\n");
    const std::size_t count = std::min(kSamplesPerArm, samples.size());
    for (std::size_t i = 0; i < count; ++i)  // from the first to the last
      out += sample_card(samples[count > 1 ? i * (samples.size() - 1) / (count - 1) : 0]);
    out += "</div>\n";
  }
  return out.empty() ? "" : element("h2", "Sample rollouts") + out;
}

std::string event_section(const Comparison& comparison) {
  std::map<std::pair<std::string, std::string>, std::pair<std::size_t, const EventRow*>> events;
  for (const ArmSummary& arm : comparison.arms)
    for (const std::size_t run : arm.runs)
      for (const EventRow& event : comparison.runs[run].events) {
        if (event.severity == "info") continue;
        auto& [count, first] = events[{arm.name, event.code}];
        if (count++ == 0) first = &event;
      }
  if (events.empty()) return "";
  std::string out = element("h2", "Warnings");
  out +=
      "<div class=\"scroll\"><table><thead><tr><th>method</th><th>code</th><th>times</th>"
      "<th>first at step</th><th style=\"text-align:left\">text</th></tr></thead><tbody>\n";
  std::size_t shown = 0;
  for (const auto& [key, value] : events) {
    if (++shown > kEvents) break;
    out += concat("<tr><th>", html_escaped(key.first), "</th><td>", html_escaped(key.second),
                  "</td><td>", value.first, "</td><td>", value.second->step,
                  "</td><td style=\"text-align:left;white-space:normal\">",
                  html_escaped(clipped_text(value.second->text, 400)), "</td></tr>\n");
  }
  return out + "</tbody></table></div>\n";
}

std::string setup_section(const Comparison& comparison) {
  std::string out = element("h2", "Configuration and environment");
  std::string rows;
  std::set<std::string> keys;
  for (const RunData& run : comparison.runs)
    for (const auto& [key, value] : run.facts)
      if (key.rfind("env/", 0) == 0) keys.insert(key);
  for (const std::string& key : keys)
    rows += concat("<tr><th>", html_escaped(key.substr(4)),
                   "</th><td style=\"text-align:left;white-space:normal\">",
                   html_escaped(clipped_text(fact(comparison, key.c_str()), 400)), "</td></tr>\n");
  if (!rows.empty())
    out += "<div class=\"scroll\"><table style=\"width:auto\"><tbody>\n" + rows +
           "</tbody></table></div>\n";
  for (const ArmSummary& arm : comparison.arms) {
    const RunData& run = comparison.runs[arm.runs[0]];
    std::string seeds;
    for (const std::uint64_t seed : arm.seeds) seeds += concat(seeds.empty() ? "" : ", ", seed);
    out += concat("<details><summary>", html_escaped(arm.name), ": seed ", seeds, ", ",
                  arm.finished, " of ", arm.runs.size(), " finished</summary>\n<pre>",
                  run.expanded_config.empty()
                      ? "no configuration was recorded"
                      : html_escaped(clipped_text(run.expanded_config, kConfigLimit)),
                  "</pre></details>\n");
  }
  return out;
}

}  // namespace

std::string report_html(const Comparison& comparison) {
  std::string out = concat(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>",
      html_escaped(comparison.title), " · allot</title>\n<style>", kReportStyle,
      "</style></head>\n<body><main>\n", header_section(comparison));
  if (!comparison.runs.empty()) {
    out += result_section(comparison) + curve_sections(comparison) + budget_section(comparison);
    out += cause_section(comparison) + sample_section(comparison) + event_section(comparison);
    out += setup_section(comparison);
  }
  const std::string version = fact(comparison, "env/version");
  out += "<footer>Written by allot" + (version.empty() ? "" : " " + html_escaped(version)) +
         ". This page is complete in itself: it loads nothing.</footer>\n";
  return out + "</main></body></html>\n";
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
