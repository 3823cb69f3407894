// How well pass rates could be told beforehand from what the run had seen of a prompt.
//
// The forecast of a visit is the Laplace estimate of all earlier first-round verdicts of the same
// prompt, (right + 1) / (verdicts + 2); first visits have none. It is the same for every method, so
// that methods can be compared by it; a method's own forecasts are its metric belief/brier.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "allot/store/prompt_history.h"

namespace allot {

inline constexpr std::size_t kCalibrationBins = 10;

struct CalibrationBin {
  double forecast_sum = 0;  // over verdicts
  std::uint64_t verdicts = 0, right = 0;
};

struct Calibration {
  std::array<CalibrationBin, kCalibrationBins> bins{};  // of forecasts [k/10, (k+1)/10)
  std::uint64_t verdicts = 0, visits = 0;               // that had a forecast
  // Mean squared error of the forecasts, and of always telling the share of right ones among the
  // same verdicts; 0 without any.
  double brier = 0, base_brier = 0;
};

Calibration calibration_of(const PromptHistory& history);

}  // namespace allot
