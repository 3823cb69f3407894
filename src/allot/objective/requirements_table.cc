#include "allot/objective/requirements_table.h"

#include "allot/core/error.h"
#include "allot/objective/presets.h"
#include "allot/objective/requirements.h"
#include "allot/objective/step_terms.h"

namespace allot::objective {

std::string requirements_table() {
  std::string out =
      "| preset | is asked for beside the current policy | a pass over the step first |\n"
      "|---|---|---|\n";
  for (const PresetRow& row : presets()) {
    LossOptions options;
    options.preset = std::string(row.name);
    const Requirements needs = requirements(options);
    std::string names;
    for (const std::string& name : needs.names())
      names += concat(names.empty() ? "" : ", ", "`", name, "`");
    const bool pass = needs_whole_step(options) || needs.top_k;
    out += concat("| `", row.name, "` | ", names, " | ", pass ? "yes" : "", " |\n");
  }
  return out;
}

}  // namespace allot::objective
