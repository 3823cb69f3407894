// A comparison in words and tables, the same in the terminal and in the report.
#pragma once

#include <string>
#include <vector>

#include "allot/report/comparison.h"
#include "allot/report/text_table.h"

namespace allot {

// Who reached what: one row per method.
TextTable summary_table(const Comparison& comparison);

// With how much: rollouts, tokens and seconds; one row per method, means over its seeds.
TextTable cost_table(const Comparison& comparison);

// Who got where with how much, and what the number of seeds proves: one sentence each.
std::vector<std::string> verdict(const Comparison& comparison);

// verdict, summary_table and cost_table as the terminal shows them. Plain text, no colours.
std::string terminal_table(const Comparison& comparison);

// The same as Markdown, for documents.
std::string markdown_tables(const Comparison& comparison);

}  // namespace allot
