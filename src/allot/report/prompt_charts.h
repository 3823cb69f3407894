// Pictures of what a run knew of its prompts and gave to them, from its visits.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "allot/report/calibration.h"
#include "allot/report/comparison.h"
#include "allot/report/svg.h"

namespace allot {

// Mean rollouts of a prompt in a step over its first-round pass rate there: where a method puts its
// rollouts. nullopt without visits.
std::optional<LineChart> rollouts_over_rate_chart(const Comparison& comparison);

// Rollouts generated in a step, and the share of its planned prompts that carried a signal, over
// steps; moving means.
std::optional<LineChart> rollouts_over_steps_chart(const Comparison& comparison);
std::optional<LineChart> signal_over_steps_chart(const Comparison& comparison);

// Prompts by state (core/prompt_state.h) after each step of one run.
std::optional<AreaChart> state_chart(const RunData& run, const std::string& arm);

// Every prompt of one run as a cell, from dead to solved; of more than kMapCells an even choice.
inline constexpr std::size_t kMapCells = 1200;
std::optional<CellMap> prompt_map(const RunData& run, const std::string& arm);

// Observed over forecast pass rates of each arm's first run, with the line of perfect forecasts.
std::optional<LineChart> calibration_chart(const Comparison& comparison);

}  // namespace allot
