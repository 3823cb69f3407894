// Plain-text and Markdown tables, and numbers for people.
#pragma once

#include <string>
#include <vector>

#include "allot/report/comparison.h"

namespace allot {

struct TextTable {
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;
};

// Columns padded to their widest cell (in code points), the first left, all others right.
std::string plain_text(const TextTable& table);
std::string markdown(const TextTable& table);

std::string count_text(double value);                 // 12.3 M, 980, 4.1 k
std::string percent_text(double share);               // 45.1 %
std::string seconds_text(double seconds);             // 3.2 s, 4 min 10 s, 2 h 5 min
std::string percent_text(const Estimate& estimate);   // 45.1 % or 45.1 ± 1.2 %
std::string points_text(const Estimate& difference);  // +3.2 points [-0.5, +6.9]

// The table of a comparison: one row per method. The same rows in the terminal and in the report.
TextTable summary_table(const Comparison& comparison);
TextTable cost_table(const Comparison& comparison);
// One sentence or two: who got where with how much, and what one seed proves.
std::string verdict(const Comparison& comparison);
// verdict, summary_table and cost_table as the terminal shows them.
std::string terminal_table(const Comparison& comparison);

}  // namespace allot
