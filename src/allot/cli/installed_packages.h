// Which packages the user's Python has, in which versions: one short process, nothing imported.
#pragma once

#include <string>
#include <vector>

#include "allot/app/adapters.h"

namespace allot {

// Asks the interpreter that ALLOT_PYTHON names, else python3 on PATH, for the versions in the
// packages' metadata. One that is missing, fails or takes over ten seconds counts as none.
InstalledPackages installed_packages(const std::vector<std::string>& names);

}  // namespace allot
