// Pieces that the sections of the page are made of. Text of runs is escaped here.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "allot/report/comparison.h"
#include "allot/report/svg.h"
#include "allot/report/text_table.h"

namespace allot {

// A disc in an arm's colour, or a square in one of the page's variables ("good", "lost").
std::string html_dot(int color);
std::string html_key(std::string_view variable);

// <tag class="css">text</tag>, with the text escaped.
std::string html_element(const char* tag, const std::string& text, const char* css = "");

// A section with its heading, reachable from the list of contents by `id`.
std::string html_section(const char* id, const std::string& heading, const std::string& content);

struct HtmlTable {
  TextTable table;
  std::string caption;      // for those who do not see the heading above it
  std::vector<int> colors;  // of the discs before the first cells; empty: none
  std::size_t left = 1;     // columns set flush left, from the first
};
// Scrolls by itself where it is too wide, by keyboard too.
std::string html_table(const HtmlTable& table);

// The colours of arms whose names stand in the first column.
std::vector<int> colors_by_name(const TextTable& table, const Comparison& comparison);

// A picture with its title and, folded away, its numbers as a table.
std::string html_figure(const LineChart& chart, std::string_view id);
std::string html_figure(const BarChart& chart, std::string_view id);
std::string html_figure(const AreaChart& chart, std::string_view id);
std::string html_figure(const CellMap& map, std::string_view id);

// Pictures side by side where there is room; "" without any.
std::string html_figures(const std::vector<std::string>& figures);

}  // namespace allot
