// Sample rollouts, warnings, configurations and environment.
#include <algorithm>
#include <map>
#include <set>

#include "allot/core/error.h"
#include "allot/report/config_table.h"
#include "allot/report/html_parts.h"
#include "allot/report/html_sections.h"
#include "allot/report/html_text.h"
#include "allot/report/number_text.h"
#include "allot/report/report_charts.h"

namespace allot {
namespace {

constexpr std::size_t kSamplesPerArm = 4, kSampledArms = 6;
constexpr std::size_t kTextLimit = 1200, kConfigLimit = 20000;  // bytes shown of one text
constexpr std::size_t kEvents = 12;

// "exact 1.00, format none"
std::string rewards_text(const FunctionRewards& rewards) {
  std::string text;
  for (const auto& [function, value] : rewards)
    text += concat(text.empty() ? "" : ", ", clipped_text(function, 60), " ",
                   value ? fixed_text(*value, 2) : "none");
  return text;
}

std::string sample_card(const SampleRow& sample) {
  std::string facts = concat("step ", sample.step, " · ", sample.tokens, " tokens · ");
  facts += sample.scored ? concat("reward ", fixed_text(sample.reward, 2)) : "not scored";
  if (!sample.rewards.empty()) facts += concat(" (", rewards_text(sample.rewards), ")");
  facts += sample.advantage ? concat(" · advantage ", fixed_text(*sample.advantage, 2))
                            : std::string(" · not trained on");
  std::string out =
      concat("<div class=\"sample\"><p><b>", sample.correct ? "right" : "wrong", "</b> · ",
             html_escaped(facts), "</p>\n<pre tabindex=\"0\" aria-label=\"prompt\">");
  out += html_escaped(clipped_text(sample.prompt, kTextLimit)) +
         "</pre>\n<pre tabindex=\"0\" aria-label=\"response\"><b>";
  out += html_escaped(clipped_text(sample.response, kTextLimit)) + "</b></pre>\n<p>";
  out += html_escaped(concat(
      "read: ", sample.read_answer.empty() ? "nothing" : clipped_text(sample.read_answer, 200),
      " · reference: ", clipped_text(sample.answer, 200)));
  if (!sample.reason.empty()) out += html_escaped(" · " + clipped_text(sample.reason, 200));
  return out + "</p></div>\n";
}

std::string environment_table(const Comparison& comparison) {
  TextTable table;
  table.header = {"", "value"};
  std::set<std::string> keys;
  for (const RunData& run : comparison.runs)
    for (const auto& [key, value] : run.facts)
      if (key.rfind("env/", 0) == 0) keys.insert(key);
  for (const char* key : {"task", "model"})
    if (const std::string value = fact_of(comparison, key); !value.empty())
      table.rows.push_back({key, clipped_text(value, 400)});
  for (const std::string& key : keys)
    table.rows.push_back({key.substr(4), clipped_text(fact_of(comparison, key.c_str()), 400)});
  if (table.rows.empty()) return "";
  table.header[0] = "what";
  return html_element("h3", "Environment") + html_table({table, "Environment", {}, 2});
}

std::string whole_config(const ArmSummary& arm, const RunData& run) {
  std::string seeds;
  for (const std::uint64_t seed : arm.seeds) seeds += concat(seeds.empty() ? "" : ", ", seed);
  return concat("<details><summary>", html_escaped(arm.name), ": seed ", seeds, ", ", arm.finished,
                " of ", arm.runs.size(), " finished</summary>\n<pre>",
                run.expanded_config.empty()
                    ? "no configuration was recorded"
                    : html_escaped(clipped_text(run.expanded_config, kConfigLimit)),
                "</pre></details>\n");
}

}  // namespace

std::string html_samples(const Comparison& comparison) {
  std::string out;
  for (std::size_t a = 0; a < std::min(kSampledArms, comparison.arms.size()); ++a) {
    const std::vector<SampleRow>& samples = comparison.runs[comparison.arms[a].runs[0]].samples;
    if (samples.empty()) continue;
    out += concat("<h3>", html_dot(arm_color(comparison, a)), html_escaped(comparison.arms[a].name),
                  "</h3>\n<div class=\"samples\">\n");
    const std::size_t count = std::min(kSamplesPerArm, samples.size());
    for (std::size_t i = 0; i < count; ++i)  // from the first to the last
      out += sample_card(samples[count > 1 ? i * (samples.size() - 1) / (count - 1) : 0]);
    out += "</div>\n";
  }
  return out.empty() ? "" : html_section("samples", "Sample rollouts", out);
}

std::string html_events(const Comparison& comparison) {
  std::map<std::pair<std::string, std::string>, std::pair<std::size_t, const EventRow*>> events;
  for (const ArmSummary& arm : comparison.arms)
    for (const std::size_t run : arm.runs)
      for (const EventRow& event : comparison.runs[run].events) {
        if (event.severity == "info") continue;
        auto& [count, first] = events[{arm.name, event.code}];
        if (count++ == 0) first = &event;
      }
  if (events.empty()) return "";
  std::string out = "<div class=\"samples\">\n";
  std::size_t shown = 0;
  for (const auto& [key, value] : events) {
    if (shown++ == kEvents) break;
    const auto& [count, first] = value;
    const std::string facts = count == 1 ? concat("step ", first->step)
                                         : concat(count, " times, first at step ", first->step);
    out += concat("<div class=\"sample\"><p><b>", html_escaped(key.first), "</b> · ",
                  html_escaped(key.second), " · ", facts, "</p>\n<div>",
                  html_escaped(clipped_text(first->text, 400)), "</div></div>\n");
  }
  return html_section("warnings", "Warnings", out + "</div>\n");
}

std::string html_setup(const Comparison& comparison) {
  std::string out;
  if (comparison.arms.size() > 1) {
    TextTable differences = config_differences_table(comparison);
    for (auto& row : differences.rows)
      for (std::string& cell : row) cell = clipped_text(cell, 200);
    if (!differences.rows.empty())
      out += html_element("h3", "What differs") +
             html_table({differences,
                         "Configuration keys that differ between methods",
                         {},
                         differences.header.size()});
  }
  out += environment_table(comparison);
  out += html_element("h3", "All settings");
  for (const ArmSummary& arm : comparison.arms)
    out += whole_config(arm, comparison.runs[arm.runs[0]]);
  return html_section("setup", "Configuration and environment", out);
}

std::string fact_of(const Comparison& comparison, const char* key) {
  for (const RunData& run : comparison.runs) {
    const auto found = run.facts.find(key);
    if (found != run.facts.end() && !found->second.empty()) return found->second;
  }
  return "";
}

}  // namespace allot
