#include "allot/report/number_text.h"

#include <array>
#include <cmath>
#include <cstdio>

namespace allot {

std::string fixed_text(double value, int decimals) {
  if (!std::isfinite(value)) return std::isnan(value) ? "n/a" : value > 0 ? "inf" : "-inf";
  std::array<char, 512> text;
  std::snprintf(text.data(), text.size(), "%.*f", decimals, value);
  // "-0.0" reads as a sign that means something.
  if (text[0] == '-' && std::string(text.data()).find_first_of("123456789") == std::string::npos)
    return text.data() + 1;
  return text.data();
}

std::string count_text(double value) {
  if (!std::isfinite(value)) return fixed_text(value, 0);
  constexpr const char* kUnits[] = {"", " k", " M", " G", " T", " P", " E"};
  double size = std::abs(value);
  std::size_t unit = 0;
  // 999.5 rounds to 1000, which is the next unit.
  while (size >= 999.5 && unit + 1 < std::size(kUnits)) {
    size /= 1000;
    ++unit;
  }
  int decimals = size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2;
  if (unit == 0 && value == std::floor(value)) decimals = 0;
  return (value < 0 ? "-" : "") + fixed_text(size, decimals) + kUnits[unit];
}

std::string percent_text(double share) { return fixed_text(100 * share, 1) + " %"; }

std::string seconds_text(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return fixed_text(seconds, 1) + " s";
  if (seconds < 9.95) return fixed_text(seconds, 2) + " s";
  if (seconds < 119.95) return fixed_text(seconds, 1) + " s";
  const auto whole = static_cast<long long>(std::llround(seconds));
  const auto two = [](long long value) { return (value < 10 ? "0" : "") + std::to_string(value); };
  if (whole < 7200) return std::to_string(whole / 60) + " min " + two(whole % 60) + " s";
  const long long minutes = std::llround(seconds / 60);
  return std::to_string(minutes / 60) + " h " + two(minutes % 60) + " min";
}

std::string percent_text(const Estimate& estimate) {
  if (!estimate.interval) return percent_text(estimate.mean);
  const double half = (estimate.interval->high - estimate.interval->low) / 2;
  return fixed_text(100 * estimate.mean, 1) + " ± " + fixed_text(100 * half, 1) + " %";
}

std::string count_text(const Estimate& estimate) { return count_text(estimate.mean); }

std::string points_text(const Estimate& difference) {
  const auto points = [](double share) {
    const std::string text = fixed_text(100 * share, 1);
    return text[0] == '-' || text == "0.0" ? text : "+" + text;
  };
  std::string text = points(difference.mean);
  if (difference.interval)
    text +=
        " [" + points(difference.interval->low) + ", " + points(difference.interval->high) + "]";
  return text;
}

std::string ratio_text(const Estimate& ratio) {
  std::string text = fixed_text(ratio.mean, 2) + " x";
  if (ratio.interval)
    text += " [" + fixed_text(ratio.interval->low, 2) + ", " + fixed_text(ratio.interval->high, 2) +
            "]";
  return text;
}

}  // namespace allot
