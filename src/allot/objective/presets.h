// The published losses, one row each: what a preset sets and whom to cite. Source: objectives,
// sections 12 and 13.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace allot::objective {

using PresetSettings = std::vector<std::pair<std::string_view, std::string_view>>;  // key, value

struct PresetRow {
  std::string_view name;
  std::string_view title;    // of the method
  std::string_view formula;  // of one token's term, in words and symbols
  std::string_view when;     // to use it
  std::string_view citation;
  // What differs from `custom`. loss.aggregation, loss.norm_constant and adv.* count only with
  // loss.preset_full or where the whole objective is asked for.
  PresetSettings settings;
};

std::span<const PresetRow> presets();

// Throws Error(Config) for an unknown name, naming the nearest one.
const PresetRow& preset(std::string_view name);

// The settings of the preset for keys that begin with `prefix`, e.g. "adv.".
PresetSettings preset_settings(const PresetRow& row, std::string_view prefix);

// Markdown: preset, method, formula, settings, when, citation.
std::string presets_table();

}  // namespace allot::objective
