// Charts as inline SVG: lines with bands, bars, stacked areas, and a map of cells. Colours come
// from the page's CSS variables
// (--series-1 .. --series-8, --ink, --muted, --grid), so that one picture serves light, dark and
// print; each has a fallback, so that a picture also stands alone. No script, no fonts, no links.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "allot/report/curves.h"

namespace allot {

enum class TickFormat { Count, Percent, Plain };

struct SvgSeries {
  std::string name;
  int color = 0;  // 0 .. 7: --series-1 .. --series-8; beyond: the same colours, dashed
  std::vector<BandPoint> points;
  bool markers = false;
};

struct LineChart {
  std::string title, description;  // for those who do not see it
  std::string x_label, y_label;    // with units
  TickFormat x_format = TickFormat::Count, y_format = TickFormat::Plain;
  std::vector<SvgSeries> series;
  std::optional<double> y_from;    // a value that the axis must reach down to, such as 0 of counts
  std::optional<CurvePoint> mark;  // a horizontal guide at mark.y
  std::string mark_label;
};

struct BarChart {
  std::string title, description;
  std::string x_label, y_label;
  std::vector<CurvePoint> bars;  // x ascending and at least 1 apart; y: share, in [0, 1]
  double x_max = 0, y_max = 0;   // common axes of several charts
  int color = 0;
};

struct AreaPart {
  std::string name;
  const char* color = "other";  // a variable of the page: "good" is var(--good)
  std::vector<double> values;   // one for each x, not negative
};

// Parts stacked from the bottom up.
struct AreaChart {
  std::string title, description;
  std::string x_label, y_label;
  std::vector<double> x;  // ascending
  std::vector<AreaPart> parts;
};

struct CellClass {
  std::string name;
  const char* color = "other";
  std::uint64_t prompts = 0;
};

// Cells in rows from the upper left, each in the colour of its class.
struct CellMap {
  std::string title, description;
  std::vector<CellClass> classes;
  std::vector<std::size_t> cells;  // indices into `classes`
};

// `id` makes the ids inside unique on a page.
std::string svg_line_chart(const LineChart& chart, std::string_view id);
std::string svg_bar_chart(const BarChart& chart, std::string_view id);
std::string svg_area_chart(const AreaChart& chart, std::string_view id);
std::string svg_cell_map(const CellMap& map, std::string_view id);

// The same picture as a file of its own: namespace, font and a white ground.
std::string svg_file(const std::string& svg);

// Multiples of 1, 2 or 5 times a power of ten: about `wanted` of them, from the last one at or
// below `low` to the first at or above `high`. Needs finite low <= high.
std::vector<double> round_ticks(double low, double high, std::size_t wanted);

// "var(--series-2, #d55e00)".
std::string series_color(int index);

}  // namespace allot
