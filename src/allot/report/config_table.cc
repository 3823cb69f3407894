#include "allot/report/config_table.h"

#include <algorithm>
#include <map>
#include <set>
#include <sstream>

#include "allot/core/error.h"

namespace allot {
namespace {

bool is_left_out(const std::string& key) {
  for (const char* prefix : {"compare.", "train.max_", "train.output", "train.seed"})
    if (key.starts_with(prefix)) return true;
  return false;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> flat_config(const std::string& yaml) {
  std::vector<std::pair<std::string, std::string>> entries;
  std::vector<std::pair<std::size_t, std::string>> sections;  // indentation and name
  std::istringstream in(yaml);
  for (std::string line; std::getline(in, line);) {
    const std::size_t indent = line.find_first_not_of(' ');
    if (indent == std::string::npos || line[indent] == '#' || line[indent] == '-') continue;
    const std::size_t colon = line.find(':', indent);
    if (colon == std::string::npos) continue;
    while (!sections.empty() && sections.back().first >= indent) sections.pop_back();
    const std::string name = line.substr(indent, colon - indent);
    const std::size_t value = line.find_first_not_of(' ', colon + 1);
    if (value == std::string::npos) {
      sections.emplace_back(indent, name);
      continue;
    }
    std::string key;
    for (const auto& [depth, section] : sections) key += section + ".";
    entries.emplace_back(key + name, line.substr(value));
  }
  return entries;
}

TextTable config_differences_table(const Comparison& comparison) {
  TextTable table;
  table.header = {"key"};
  std::vector<std::string> order;
  std::set<std::string> known;
  std::vector<std::map<std::string, std::string>> values;
  for (const ArmSummary& arm : comparison.arms) {
    table.header.push_back(arm.name);
    values.emplace_back();
    for (const auto& [key, text] : flat_config(comparison.runs[arm.runs[0]].expanded_config)) {
      values.back()[key] = text;
      if (known.insert(key).second) order.push_back(key);
    }
  }
  for (const std::string& key : order) {
    std::vector<std::string> row = {key};
    std::set<std::string> different;
    for (const auto& arm : values) {
      const auto found = arm.find(key);
      row.push_back(found == arm.end() ? "-" : found->second);
      different.insert(row.back());
    }
    if (different.size() > 1 && !is_left_out(key)) table.rows.push_back(std::move(row));
  }
  return table;
}

}  // namespace allot
