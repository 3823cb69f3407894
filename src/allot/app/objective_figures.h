// The pictures of docs/objectives/: what the factors of the loss make of a ratio. Every curve is
// computed by the functions of the reference.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace allot {

// (file name, SVG).
std::vector<std::pair<std::string, std::string>> objective_figures();

}  // namespace allot
