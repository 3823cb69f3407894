// Run folders named on a command line: runs, or folders of comparisons that hold runs.
#pragma once

#include <string>
#include <vector>

#include "allot/store/run_folder.h"

namespace allot {

// A run stands for itself, another folder for the runs directly inside it, in order of name.
// Throws Error(Model) naming a path that is neither.
std::vector<RunFolderPath> find_runs(const std::vector<std::string>& paths);

}  // namespace allot
