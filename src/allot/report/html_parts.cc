#include "allot/report/html_parts.h"

#include <algorithm>
#include <cmath>

#include "allot/core/error.h"
#include "allot/report/html_text.h"
#include "allot/report/number_text.h"
#include "allot/report/report_charts.h"

namespace allot {
namespace {

constexpr std::size_t kFigureRows = 12;  // of the table behind a picture, per line

std::string value_text(double value, TickFormat format) {
  switch (format) {
    case TickFormat::Percent:
      return percent_text(value);
    case TickFormat::Count:
      return count_text(value);
    case TickFormat::Plain:
      return fixed_text(value, 3);
  }
  return "";
}

// Evenly spread indices of 0 .. count - 1, both ends among them.
std::vector<std::size_t> spread(std::size_t count, std::size_t wanted) {
  std::vector<std::size_t> chosen;
  if (count <= wanted) {
    for (std::size_t i = 0; i < count; ++i) chosen.push_back(i);
    return chosen;
  }
  for (std::size_t i = 0; i < wanted; ++i) chosen.push_back(i * (count - 1) / (wanted - 1));
  return chosen;
}

std::string figure(const std::string& title, const std::string& svg, const TextTable& numbers) {
  return concat("<figure><h3>", html_escaped(title), "</h3>", svg,
                "<details><summary>Numbers</summary>",
                html_table({numbers, "Numbers of: " + title, {}, 1}), "</details></figure>\n");
}

}  // namespace

std::string html_dot(int color) {
  return concat("<span class=\"dot\" style=\"background:", series_color(color), "\"></span>");
}

std::string html_key(std::string_view variable) {
  return concat("<span class=\"key\" style=\"background:var(--", variable, ")\"></span>");
}

std::string html_element(const char* tag, const std::string& text, const char* css) {
  return concat("<", tag, *css ? concat(" class=\"", css, "\"") : "", ">", html_escaped(text), "</",
                tag, ">\n");
}

std::string html_section(const char* id, const std::string& heading, const std::string& content) {
  return concat("<section id=\"", id, "\" aria-labelledby=\"", id, "-h\"><h2 id=\"", id, "-h\">",
                html_escaped(heading), "</h2>\n", content, "</section>\n");
}

std::string html_table(const HtmlTable& t) {
  const TextTable& table = t.table;
  const auto cell_class = [&](std::size_t column) {
    return column > 0 && column < t.left ? " class=\"left\"" : "";
  };
  std::string out = concat("<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"",
                           html_escaped(t.caption), "\"><table><caption>", html_escaped(t.caption),
                           "</caption><thead>");
  if (!table.groups.empty()) {
    out += "<tr>";
    for (const auto& [label, span] : table.groups)
      out += label.empty()
                 ? concat("<td colspan=\"", span, "\"></td>")
                 : concat("<th colspan=\"", span, "\" scope=\"colgroup\" class=\"group\">",
                          html_escaped(label), "</th>");
    out += "</tr>";
  }
  out += "<tr>";
  for (std::size_t c = 0; c < table.header.size(); ++c)
    out += concat("<th scope=\"col\"", cell_class(c), ">", html_escaped(table.header[c]), "</th>");
  out += "</tr></thead><tbody>\n";
  for (std::size_t r = 0; r < table.rows.size(); ++r) {
    out += "<tr>";
    for (std::size_t c = 0; c < table.rows[r].size(); ++c) {
      const std::string text = html_escaped(table.rows[r][c]);
      const std::string dot = c == 0 && r < t.colors.size() ? html_dot(t.colors[r]) : "";
      out += c == 0 ? concat("<th scope=\"row\">", dot, text, "</th>")
                    : concat("<td", cell_class(c), ">", text, "</td>");
    }
    out += "</tr>\n";
  }
  return out + "</tbody></table></div>\n";
}

std::vector<int> colors_by_name(const TextTable& table, const Comparison& comparison) {
  std::vector<int> colors;
  for (const auto& row : table.rows)
    for (std::size_t a = 0; a < comparison.arms.size(); ++a)
      if (!row.empty() && comparison.arms[a].name == row[0]) {
        colors.push_back(arm_color(comparison, a));
        break;
      }
  return colors.size() == table.rows.size() ? colors : std::vector<int>{};
}

std::string html_figure(const LineChart& chart, std::string_view id) {
  TextTable numbers;
  numbers.header = {"line", chart.x_label, chart.y_label};
  bool bands = false;
  for (const SvgSeries& s : chart.series)
    for (const BandPoint& p : s.points) bands = bands || p.low.has_value();
  if (bands) numbers.header.emplace_back("95 % interval");
  for (const SvgSeries& s : chart.series)
    for (const std::size_t i : spread(s.points.size(), kFigureRows)) {
      const BandPoint& p = s.points[i];
      numbers.rows.push_back(
          {s.name, value_text(p.x, chart.x_format), value_text(p.mean, chart.y_format)});
      if (bands)
        numbers.rows.back().push_back(p.low && p.high
                                          ? concat(value_text(*p.low, chart.y_format), " to ",
                                                   value_text(*p.high, chart.y_format))
                                          : "-");
    }
  return figure(chart.title, svg_line_chart(chart, id), numbers);
}

std::string html_figure(const BarChart& chart, std::string_view id) {
  TextTable numbers;
  numbers.header = {chart.x_label, chart.y_label};
  for (const CurvePoint& bar : chart.bars)
    numbers.rows.push_back({fixed_text(bar.x, 0), percent_text(bar.y)});
  return figure(chart.title, svg_bar_chart(chart, id), numbers);
}

std::string html_figure(const AreaChart& chart, std::string_view id) {
  TextTable numbers;
  numbers.header = {chart.x_label};
  for (const AreaPart& part : chart.parts) numbers.header.push_back(part.name);
  for (const std::size_t i : spread(chart.x.size(), kFigureRows)) {
    numbers.rows.push_back({fixed_text(chart.x[i], 0)});
    for (const AreaPart& part : chart.parts)
      numbers.rows.back().push_back(fixed_text(part.values[i], 0));
  }
  return figure(chart.title, svg_area_chart(chart, id), numbers);
}

std::string html_figure(const CellMap& map, std::string_view id) {
  TextTable numbers;
  numbers.header = {"prompts", "number"};
  for (const CellClass& c : map.classes)
    numbers.rows.push_back({c.name, std::to_string(c.prompts)});
  return figure(map.title, svg_cell_map(map, id), numbers);
}

std::string html_figures(const std::vector<std::string>& figures) {
  if (figures.empty()) return "";
  std::string out = "<div class=\"charts\">\n";
  for (const std::string& one : figures) out += one;
  return out + "</div>\n";
}

}  // namespace allot
