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

// Differences from the reference where all have spent the same, on every axis, with both intervals.
// Empty without a second arm.
TextTable difference_table(const Comparison& comparison);

// Every run: its seed, accuracy, cost, and the compute to the reference's final accuracy; one that
// never got there has needed more than all it spent, and is shown as "> SPENT".
TextTable seed_table(const Comparison& comparison);

// Accuracy after training on each evaluation set, and the difference from the reference.
TextTable benchmark_table(const Comparison& comparison);

// One line per run with all its numbers, for spreadsheets and data frames. Format: docs/formats.md.
std::string comparison_csv(const Comparison& comparison);

// Who got where with how much, and what the number of seeds proves: one sentence each.
std::vector<std::string> verdict(const Comparison& comparison);

// verdict, summary_table, benchmark_table (of several sets) and cost_table as the terminal shows
// them. Plain text, no colours.
std::string terminal_table(const Comparison& comparison);

// The same as Markdown, for documents, with difference_table and seed_table.
std::string markdown_tables(const Comparison& comparison);

}  // namespace allot
