// Where the configurations of compared runs differ.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "allot/report/comparison.h"
#include "allot/report/text_table.h"

namespace allot {

// "section.key" and its text, in order, of a config.expanded.yaml: nested maps whose values stand
// on one line. Lines of any other form are left out.
std::vector<std::pair<std::string, std::string>> flat_config(const std::string& yaml);

// One row per key that is not the same in all arms, one column per arm (their first runs). Seeds,
// folders, budgets that a comparison sets and its own settings are left out.
TextTable config_differences_table(const Comparison& comparison);

}  // namespace allot
