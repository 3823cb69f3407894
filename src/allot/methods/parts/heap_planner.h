// Splits a rollout budget over the prompts of a step: the one planner behind Knapsack, CoBA, VIP
// and every value that is concave in the number of rollouts. Source: contract, section 8.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "allot/core/types.h"

namespace allot {

// Rollouts per prompt: `least` <= n_i <= `most`.
struct PerPrompt {
  std::uint32_t least = 0, most = 0;
};

// gain(i, n): what prompt i gains by its n-th rollout, n in least + 1 .. most. It must not grow
// with n: then the split is optimal, and not only good.
using Gain = std::function<double(std::size_t i, std::uint32_t n)>;

// n_i with sum exactly `budget`, which lies between least * prompts and most * prompts: from
// `least` on, the largest gain next. `tie_order`: one place per prompt, the lower one goes first
// among equal gains (a fixed permutation; ids or positions alone would favour the same prompts for
// ever). O(budget log prompts). Throws Error(Internal) for a budget outside the bounds.
std::vector<std::uint32_t> split_budget(const Gain& gain, PerPrompt bounds, std::uint64_t budget,
                                        std::span<const std::uint64_t> tie_order);

// Places of a permutation of these prompts that depends on the seed and their ids alone.
std::vector<std::uint64_t> fixed_tie_order(std::span<const PromptId> prompts, std::uint64_t seed);

// How a step can be served: the first `prompts` get rollouts, `budget` in all, each within
// `bounds`.
struct FeasibleStep {
  std::size_t prompts = 0;
  PerPrompt bounds;
  std::uint64_t budget = 0;  // between bounds.least * prompts and bounds.most * prompts
  bool relaxed = false;      // the wanted bounds or the budget had to give way
};

// Fits `budget` rollouts for `prompts` prompts into `wanted` bounds, which give way within
// `allowed` where they must: too little for the least each lowers it, and then plans fewer prompts;
// too much for the most each raises it, and then leaves a rest of the budget.
FeasibleStep feasible_step(std::size_t prompts, PerPrompt wanted, PerPrompt allowed,
                           std::uint64_t budget);

// Rollouts that a step may spend on `prompts` candidates: the aim of Budget::rollouts (for fewer
// candidates than groups its share), never more than a hard cap leaves. `group_size` gives the aim
// where there is none.
std::uint64_t step_rollouts(const Budget& budget, std::size_t prompts, std::uint32_t group_size);

// Bounds that nothing may break: Budget::n_min and n_max, and two rollouts for a baseline.
PerPrompt allowed_bounds(const Budget& budget);

// Even split of `budget` over `prompts`, counts differing by at most one; the places of `tie_order`
// say who gets the rest.
std::vector<std::uint32_t> even_split(std::uint64_t budget,
                                      std::span<const std::uint64_t> tie_order);

// As split_budget, where nothing is known of some prompts (`known` false): these share evenly what
// the mean of the step comes to, as far as the bounds let, and the others split the rest.
std::vector<std::uint32_t> split_known(const Gain& gain, const std::vector<bool>& known,
                                       PerPrompt bounds, std::uint64_t budget,
                                       std::span<const std::uint64_t> tie_order);

}  // namespace allot
