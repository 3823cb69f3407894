// The charts of a comparison, as descriptions that svg.h draws.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "allot/report/comparison.h"
#include "allot/report/svg.h"

namespace allot {

// Colour of an arm in every picture and table: the reference is grey, the others differ.
int arm_color(const Comparison& comparison, std::size_t arm);

// Held-out accuracy over cost; nullopt if nothing was evaluated.
std::optional<LineChart> accuracy_chart(const Comparison& comparison, Axis axis);

// First-round training reward over cost, as a moving mean; nullopt without steps.
std::optional<LineChart> reward_chart(const Comparison& comparison, Axis axis);

// Steps that the moving mean of reward_chart spans.
std::size_t reward_window(const Comparison& comparison);

// One chart per arm: share of prompts by how many rollouts they got in a step. Common axes.
std::vector<BarChart> rollout_charts(const Comparison& comparison);

}  // namespace allot
