// The page: complete in itself, well-formed, safe against hostile text, for any kind of run.
#include "allot/report/html.h"

#include <cmath>
#include <set>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "allot/core/durable_file.h"
#include "allot/core/error.h"
#include "allot/core/testing/temporary_folder.h"
#include "allot/report/html_text.h"
#include "allot/report/number_text.h"
#include "allot/report/svg.h"
#include "allot/store/sqlite.h"
#include "allot/store/testing/synthetic_run.h"

namespace allot {
namespace {

using testing::SyntheticRun;
using testing::TemporaryFolder;
using testing::write_synthetic_run;

// Name of the first tag that is not closed or not opened, or "".
std::string unbalanced_tag(const std::string& page) {
  const std::set<std::string> empty = {"meta", "!doctype"};
  std::vector<std::string> open;
  for (std::size_t at = page.find('<'); at != std::string::npos; at = page.find('<', at + 1)) {
    const std::size_t end = page.find('>', at);
    if (end == std::string::npos) return "unfinished";
    const bool closes = page[at + 1] == '/';
    const std::size_t begin = at + (closes ? 2 : 1);
    const std::string name = page.substr(begin, page.find_first_of(" >/\n", begin) - begin);
    if (closes) {
      if (open.empty() || open.back() != name) return "/" + name;
      open.pop_back();
    } else if (page[end - 1] != '/' && !empty.count(name)) {
      open.push_back(name);
    }
    at = end;
  }
  return open.empty() ? "" : open.back();
}

std::string page_of(const std::vector<SyntheticRun>& runs) {
  TemporaryFolder folder;
  std::vector<RunFolderPath> paths;
  for (const SyntheticRun& run : runs) {
    paths.push_back(folder / concat("run-", paths.size()));
    write_synthetic_run(run, paths.back());
  }
  const Comparison comparison = compare_runs(paths);
  write_report(comparison, folder / "report.html");
  std::string page = read_file(folder / "report.html");
  EXPECT_EQ(page, report_html(comparison));
  return page;
}

void expect_sound(const std::string& page) {
  EXPECT_EQ(unbalanced_tag(page), "");
  for (std::size_t at = page.find("href="); at != std::string::npos;
       at = page.find("href=", at + 1))
    EXPECT_EQ(page.substr(at, 7), "href=\"#") << "a link that leaves the page";
  for (const char* forbidden : {"<script", "http:", "https:", "src=", "@import", "url(", "<link",
                                "<iframe", "<img", "javascript:", "nan", "inf%"})
    EXPECT_EQ(page.find(forbidden), std::string::npos) << forbidden;
}

std::vector<SyntheticRun> three_methods(std::uint64_t seeds) {
  std::vector<SyntheticRun> runs;
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    for (const char* method : {"grpo", "dapo", "aero"}) {
      SyntheticRun run;
      run.method = method;
      run.seed = seed;
      run.adaptive = run.method == "aero";
      run.hold = run.method == "dapo" ? 4 : 0;
      runs.push_back(run);
    }
  }
  return runs;
}

std::size_t count_of(const std::string& page, const std::string& words) {
  std::size_t count = 0;
  for (std::size_t at = page.find(words); at != std::string::npos; at = page.find(words, at + 1))
    ++count;
  return count;
}

TEST(Report, ShowsEverySection) {
  const std::string page = page_of(three_methods(1));
  expect_sound(page);
  for (const char* words : {"Held-out accuracy over compute",
                            "Held-out accuracy over generated tokens",
                            "Held-out accuracy over time",
                            "First-round reward over compute",
                            "One seed proves little",
                            "Where the budget went",
                            "Rollouts per prompt",
                            "Prompts without a signal",
                            "Sample rollouts",
                            "Configuration and environment",
                            "method: grpo",
                            "0.1.0",
                            "Rollouts per prompt over its pass rate",
                            "Rollouts per step",
                            "Prompts with a signal",
                            "Forecast and seen pass rates",
                            "aero: prompts by state",
                            "dapo: prompt map",
                            "Prompts from dead to solved",
                            "Differences at equal cost",
                            "What differs"})
    EXPECT_NE(page.find(words), std::string::npos) << words;
  // Six curves, three histograms, three of rollouts, one of forecasts, two for each method.
  EXPECT_EQ(count_of(page, "<svg "), 19u);
  EXPECT_EQ(count_of(page, "role=\"img\""), 19u);
  EXPECT_EQ(count_of(page, "<desc "), 19u);
}

TEST(Report, CanBeReadByKeyboardAndByEar) {
  const std::string page = page_of(three_methods(2));
  const std::size_t tables = count_of(page, "<table>");
  EXPECT_GT(tables, 20u);
  EXPECT_EQ(count_of(page, "<caption>"), tables);
  EXPECT_EQ(count_of(page, "class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label="), tables);
  EXPECT_EQ(count_of(page, "<th>"), 0u);  // each says what it heads
  EXPECT_EQ(count_of(page, "Numbers of: "), 2 * count_of(page, "<figure>"));  // caption and label
  EXPECT_EQ(count_of(page, "<svg "), count_of(page, "<figure>"));
  EXPECT_EQ(count_of(page, "<h1>"), 1u);
  // Every link leads to a section, and every id is there once.
  std::set<std::string> ids;
  for (std::size_t at = page.find(" id=\""); at != std::string::npos;
       at = page.find(" id=\"", at + 1))
    EXPECT_TRUE(ids.insert(page.substr(at + 5, page.find('"', at + 5) - at - 5)).second);
  for (std::size_t at = page.find("href=\"#"); at != std::string::npos;
       at = page.find("href=\"#", at + 1))
    EXPECT_EQ(ids.count(page.substr(at + 7, page.find('"', at + 7) - at - 7)), 1u);
}

TEST(Report, HasBandsFromTwoSeedsOn) {
  const std::string band = "fill-opacity:.16";
  EXPECT_EQ(count_of(page_of(three_methods(1)), band), 0u);
  const std::string page = page_of(three_methods(2));
  expect_sound(page);
  EXPECT_EQ(count_of(page, band), 18u);  // three arms in six charts
}

TEST(Report, EscapesHostileText) {
  SyntheticRun run;
  run.method = "<i>grpo</i>";
  run.text = "</pre><script>alert('x')</script>\"onload=\"y\" \x01\xff &amp; ";
  const std::string page = page_of({run});
  expect_sound(page);
  EXPECT_NE(page.find("&lt;script&gt;alert(&#39;x&#39;)"), std::string::npos);
  EXPECT_EQ(page.find("<i>grpo"), std::string::npos);
  EXPECT_EQ(page.find('\x01'), std::string::npos);
  EXPECT_EQ(page.find('\xff'), std::string::npos);
}

TEST(Report, ShowsWhatEachRewardFunctionGave) {
  SyntheticRun run;
  run.functions = {"right", "short <i>"};
  const std::string page = page_of({run});
  EXPECT_NE(page.find("reward 1.00 (right 1.00, short &lt;i&gt; "), std::string::npos);
  EXPECT_NE(page.find("reward 0.00 (right 0.00, short &lt;i&gt; "), std::string::npos);
  EXPECT_EQ(page_of({SyntheticRun{}}).find("(right"), std::string::npos);
}

TEST(Report, HugeTextStaysSmallAndInvalidTextReadable) {
  SyntheticRun run;
  run.text = std::string(200000, '<') + "\xff\xfe" + std::string(1000, '\x1b');
  const std::string page = page_of({run});
  expect_sound(page);
  EXPECT_LT(page.size(), 400000u);
  EXPECT_EQ(page.find('\x1b'), std::string::npos);
}

TEST(Report, NumbersAreThoseOfTheRun) {
  TemporaryFolder folder;
  SyntheticRun run;
  run.steps = 25;
  write_synthetic_run(run, folder / "r");
  const std::vector<RunFolderPath> paths = {folder / "r"};
  const std::string page = report_html(compare_runs(paths));
  const RunReader reader(folder / "r");
  const RunTotals totals = reader.totals();
  for (const auto value : {totals.rollouts_generated, totals.rollouts_trained, totals.generated,
                           totals.tokens_trained, totals.compute})
    EXPECT_NE(page.find(count_text(static_cast<double>(value))), std::string::npos) << value;
  EXPECT_NE(page.find(percent_text(reader.evaluations().back().pass_at_1)), std::string::npos);
  const auto database = SqliteConnection::open_for_reading(folder / "r" / "run.sqlite");
  std::string row = "<th scope=\"row\"><span class=\"dot\" style=\"background:" + series_color(1) +
                    "\"></span>grpo</th>";
  for (const char* state : {"dead", "mixed", "solved", "unseen"})
    row += concat(
        "<td>", database.integer(concat("SELECT count(*) FROM ledger WHERE state = '", state, "'")),
        "</td>");
  EXPECT_NE(page.find(row), std::string::npos) << row;
}

TEST(Report, SurvivesRunsOfAnyLength) {
  SyntheticRun none, one, cut;
  none.steps = 0;
  one.steps = 1;
  cut.steps = 7;
  cut.status = RunStatus::Interrupted;
  for (const SyntheticRun& run : {none, one, cut}) expect_sound(page_of({run}));
  one.seed = 1;
  cut.method = "aero";
  const std::string page = page_of({none, one, cut});
  expect_sound(page);
  EXPECT_NE(page.find("1 of 3 runs did not finish"), std::string::npos);
  expect_sound(report_html(compare_data({})));
}

TEST(Report, StaysSmall) {
  TemporaryFolder folder;
  SyntheticRun run;
  run.steps = 1000;
  run.prompts = 2;
  run.evaluate_every = 10;
  run.text = std::string(3000, 'x');
  write_synthetic_run(run, folder / "r");
  const RunData data = read_run(folder / "r");
  std::vector<RunData> runs(10, data);
  for (std::size_t i = 0; i < runs.size(); ++i) {
    runs[i].seed = i % 2;
    runs[i].method = concat("method", i / 2);
  }
  const std::string page = report_html(compare_data(std::move(runs)));
  expect_sound(page);
  EXPECT_LT(page.size(), 2u << 20);
}

TEST(Report, AFolderThatIsNotThereIsAnError) {
  TemporaryFolder folder;
  EXPECT_THROW(write_report(compare_data({}), folder / "no" / "such" / "report.html"), Error);
}

TEST(HtmlText, KeepsWhatIsValidAndReplacesTheRest) {
  EXPECT_EQ(html_escaped("a<b>&\"'\n\tä€😀"), "a&lt;b&gt;&amp;&quot;&#39;\n\tä€😀");
  const std::string bad = "\xEF\xBF\xBD";
  EXPECT_EQ(html_escaped("\x80"), bad);
  EXPECT_EQ(html_escaped("\xC0\xAF"), bad + bad);            // overlong
  EXPECT_EQ(html_escaped("\xED\xA0\x80"), bad + bad + bad);  // a surrogate
  EXPECT_EQ(html_escaped("\xF4\x90\x80\x80"), bad + bad + bad + bad);
  EXPECT_EQ(html_escaped("\xE2\x82"), bad + bad);  // cut off
  EXPECT_EQ(html_escaped(std::string("\0\x7f", 2)), bad + bad);
  EXPECT_EQ(clipped_text("abc", 3), "abc");
  EXPECT_EQ(clipped_text("ab€", 4), "ab…");
}

RC_GTEST_PROP(HtmlText, NeverLeavesMarkup, (const std::string& text)) {
  const std::string safe = html_escaped(text);
  RC_ASSERT(safe.find_first_of("<>\"'") == std::string::npos);
  RC_ASSERT(html_escaped(clipped_text(text, 7)).size() <= 7 * 6 + 3);
}

RC_GTEST_PROP(Svg, TicksAreRoundAndCover, ()) {
  const double span = std::pow(10, *rc::gen::inRange(-6, 9)) * *rc::gen::inRange(1, 100);
  const double a = span * *rc::gen::inRange(-100000, 100000) / 64.0;
  const auto ticks = round_ticks(a, a + span, 5);
  RC_ASSERT(ticks.size() >= 2 && ticks.size() <= 8);
  const double step = ticks[1] - ticks[0];
  RC_ASSERT(ticks.front() <= a + 1e-8 * step && ticks.back() >= a + span - 1e-8 * step);
  const double digits = step / std::pow(10, std::floor(std::log10(step) + 1e-9));
  RC_ASSERT(std::abs(digits - 1) < 1e-6 || std::abs(digits - 2) < 1e-6 ||
            std::abs(digits - 5) < 1e-6);
}

TEST(Svg, TicksOfNoRange) {
  EXPECT_GE(round_ticks(3, 3, 5).size(), 2u);
  EXPECT_GE(round_ticks(0, 0, 5).size(), 2u);
  EXPECT_THROW(round_ticks(1, 0, 5), Error);
  EXPECT_THROW(round_ticks(0, std::nan(""), 5), Error);
}

TEST(Svg, PlacesPointsLinearly) {
  LineChart chart;
  chart.title = "t";
  chart.x_label = "compute <positions>";
  SvgSeries series{"a & b", 1, {}, true};
  series.points = {{0, 0, std::nullopt, std::nullopt},
                   {5, 0.5, std::nullopt, std::nullopt},
                   {10, 1, std::nullopt, std::nullopt}};
  chart.series = {series};
  const std::string svg = svg_line_chart(chart, "c");
  EXPECT_EQ(unbalanced_tag(svg_file(svg)), "");
  EXPECT_NE(svg_file(svg).find("xmlns=\"http://www.w3.org/2000/svg\""), std::string::npos);
  EXPECT_EQ(unbalanced_tag(svg), "");
  EXPECT_NE(svg.find("compute &lt;positions&gt;"), std::string::npos);
  EXPECT_NE(svg.find("a &amp; b"), std::string::npos);
  std::vector<double> x, y;
  for (std::size_t at = svg.find("<circle"); at != std::string::npos;
       at = svg.find("<circle", at + 1)) {
    x.push_back(std::stod(svg.substr(svg.find("cx=\"", at) + 4)));
    y.push_back(std::stod(svg.substr(svg.find("cy=\"", at) + 4)));
  }
  ASSERT_EQ(x.size(), 3u);
  EXPECT_NEAR(x[1] - x[0], x[2] - x[1], 0.11);
  EXPECT_NEAR(y[1] - y[0], y[2] - y[1], 0.11);
  EXPECT_GT(x[2], x[0] + 300);
  EXPECT_LT(y[2], y[0] - 150);  // up the page
}

TEST(Svg, OnePointAndNone) {
  LineChart chart;
  EXPECT_EQ(unbalanced_tag(svg_line_chart(chart, "a")), "");
  chart.series = {{"one", 0, {{0, 0.5, std::nullopt, std::nullopt}}, false}};
  const std::string svg = svg_line_chart(chart, "b");
  EXPECT_NE(svg.find("<circle"), std::string::npos);
  EXPECT_EQ(svg.find("nan"), std::string::npos);
  EXPECT_EQ(unbalanced_tag(svg_bar_chart({}, "c")), "");
}

}  // namespace
}  // namespace allot
