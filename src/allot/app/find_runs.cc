#include "allot/app/find_runs.h"

#include <algorithm>

#include "allot/core/error.h"

namespace allot {

std::vector<RunFolderPath> find_runs(const std::vector<std::string>& paths) {
  namespace fs = std::filesystem;
  std::vector<RunFolderPath> runs;
  for (const std::string& path : paths) {
    if (RunFolder::is_run(path)) {
      runs.emplace_back(path);
      continue;
    }
    std::vector<RunFolderPath> inside;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(path, ignored))
      if (RunFolder::is_run(entry.path())) inside.push_back(entry.path());
    if (inside.empty())
      throw Error(ErrorKind::Model, path, "no run was found there; a run folder is needed",
                  "allot train and allot compare make them under runs/");
    std::sort(inside.begin(), inside.end());
    runs.insert(runs.end(), inside.begin(), inside.end());
  }
  return runs;
}

}  // namespace allot
