// Options as a user gives them: {{"preset", "gspo"}, {"clip_low", ".05"}} with "loss." left out.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "allot/objective/options.h"

namespace allot::objective {

inline LossOptions options_of(const std::vector<std::pair<const char*, const char*>>& settings) {
  LossOptions options;
  OptionList list = OptionList::of(options, "loss");
  for (const auto& [key, value] : settings) list.set(std::string("loss.") + key, value, "test");
  return options;
}

}  // namespace allot::objective
