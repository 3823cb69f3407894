// What each preset asks a trainer for, as Markdown.
#pragma once

#include <string>

namespace allot::objective {

// preset; the fields of requirements(); what decides its masks and weights: the rows of a
// micro-batch, or a pass without gradient over the whole step first.
std::string requirements_table();

}  // namespace allot::objective
