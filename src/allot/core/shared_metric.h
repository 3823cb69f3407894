// Names of metrics that all methods share: they stand as they are, without "alloc/<method>/".
#pragma once

#include <string_view>

namespace allot {

// belief/*: how good a method's own forecasts of pass rates were (methods/parts/calibration.h).
inline bool is_shared_metric(std::string_view name) { return name.starts_with("belief/"); }

}  // namespace allot
