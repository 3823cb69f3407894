#include "allot/app/scale_listing.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>

#include <nlohmann/json.hpp>

#include "allot/methods/scale_table.h"
#include "allot/report/svg.h"
#include "allot/report/text_table.h"

namespace allot {
namespace {

using nlohmann::ordered_json;

// Rows of the chart: one per kind of curve.
constexpr std::array<std::string_view, 6> kDrawn = {
    "leave-one-out (RLOO)", "GRPO n = 8, std pop",    "AR3PO k = 4, S = 2, std pop, no reuse",
    "AERO, math settings",  "PODS 64 -> 16, std pop", "Reinforce-Ada balanced, pool mean"};

// Three figures, zeros at the end too.
std::string scale_number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%#.3g", value);
  std::string out = text;
  if (out.ends_with('.')) out.pop_back();
  return out;
}

std::string rate_text(double rate) {
  ordered_json shortest = rate;
  return shortest.dump().substr(1);  // .03
}

TextTable text_table() {
  TextTable table{{}, {"p"}, {}};
  for (const double p : scale_rates()) table.header.push_back(rate_text(p));
  for (const ScaleRow& row : scale_table(scale_rates())) {
    table.rows.push_back({row.label});
    for (const double value : row.values) table.rows.back().push_back(scale_number(value));
  }
  return table;
}

}  // namespace

std::string scale_text() {
  return plain_text(text_table()) +
         "\nExpected gradient over the gradient of the pass rate p (one-logit policy, exact "
         "enumeration).\n1 = unbiased; rows that differ train on different objectives.";
}

std::string scale_markdown() { return markdown(text_table()); }

std::string scale_json() {
  ordered_json rows = ordered_json::array();
  for (const ScaleRow& row : scale_table(scale_rates()))
    rows.push_back({{"label", row.label},
                    {"method", row.method},
                    {"settings", row.settings},
                    {"values", row.values}});
  const std::vector<double> rates(scale_rates().begin(), scale_rates().end());
  return ordered_json{{"rates", rates}, {"rows", rows}}.dump();
}

std::string scale_svg() {
  std::vector<double> rates;
  for (int i = 1; i < 50; ++i) rates.push_back(.02 * i);
  LineChart chart;
  chart.title = "Effective gradient scale";
  chart.description =
      "Expected gradient of each method over the gradient of the pass rate, as a function of it";
  chart.x_label = "pass rate of the prompt, %";
  chart.y_label = "expected gradient / gradient of the pass rate";
  chart.x_format = TickFormat::Percent;
  const std::vector<ScaleRow> table = scale_table(rates);
  for (const std::string_view label : kDrawn) {
    const auto row = std::find_if(table.begin(), table.end(),
                                  [&](const ScaleRow& r) { return r.label == label; });
    SvgSeries series{row->label, static_cast<int>(chart.series.size()), {}, false};
    for (std::size_t i = 0; i < rates.size(); ++i)
      series.points.push_back({rates[i], row->values[i], std::nullopt, std::nullopt});
    chart.series.push_back(std::move(series));
  }
  // On its own, and not within a page, a picture has to name its format and bring its paper.
  const std::string svg = svg_line_chart(chart, "scale");
  return "<svg xmlns=\"http://www.w3.org/2000/svg\" style=\"background:#fff\"" +
         svg.substr(std::string_view("<svg").size()) + "\n";
}

}  // namespace allot
