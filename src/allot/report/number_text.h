// Numbers for people: counts with k and M, shares in per cent, spans of time, estimates.
#pragma once

#include <string>

#include "allot/report/intervals.h"

namespace allot {

std::string count_text(double value);    // 980, 4.12 k, 12.3 M: three significant digits
std::string percent_text(double share);  // 45.1 %
std::string fixed_text(double value, int decimals);
std::string seconds_text(double seconds);  // 0.41 s, 32.5 s, 4 min 10 s, 2 h 05 min

std::string percent_text(const Estimate& estimate);   // 45.1 % or 45.1 ± 1.2 %
std::string count_text(const Estimate& estimate);     // the mean
std::string points_text(const Estimate& difference);  // +3.2, or +3.2 [-0.5, +6.9]
std::string ratio_text(const Estimate& ratio);        // 0.71 x, or 0.71 x [0.60, 0.84]

}  // namespace allot
