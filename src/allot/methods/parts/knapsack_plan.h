// Knapsack RL's split of a step: a base for every prompt by what is known of it, and the rest where
// a mixed group is likeliest to appear, weighted towards hard prompts. Source: arXiv 2509.25849.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace allot {

// V(n, p) = (1 - p^n - (1 - p)^n) p (1 - p)^2, and what the n-th rollout adds to it, n >= 1.
double knapsack_value(double n, double p);
double knapsack_gain(std::uint32_t n, double p);

// Rollouts after which a prompt of pass rate p, 0 < p < 1, has shown both verdicts with a chance of
// at least `confidence`, by the rarer one: log(1 - confidence) / log(max(p, 1 - p)).
double useful_ceiling(double p, double confidence);

struct KnapsackRule {
  std::uint32_t n = 8;                           // of a prompt without history
  std::uint32_t min_n = 2, max_n = 128;          // of a prompt with 0 < p < 1; min_n >= 1
  std::uint32_t negative_n = 2, positive_n = 2;  // of one with p = 0 and with p = 1
  double confidence = .9;
  // As in the released code, a prompt left at min_n counts nothing, so one more rollout of it gains
  // its whole value.
  bool released = false;
};

struct KnapsackPlan {
  std::vector<std::uint32_t> n;
  std::uint32_t informative = 0;  // prompts with 0 < p < 1
  std::uint64_t rest = 0;         // rollouts beyond the base
  std::uint64_t need = 0;         // what informative prompts can use of it
  std::uint64_t surplus = 0;      // what went to the others
  bool base_lowered = false;      // the base exceeded the budget: every prompt started at min_n
};

// `rates`: pass rates, none without history. sum n = budget, which is at least min_n and at most
// max_n per prompt. `tie_order` as in split_budget.
KnapsackPlan knapsack_plan(std::span<const std::optional<double>> rates, const KnapsackRule& rule,
                           std::uint64_t budget, std::span<const std::uint64_t> tie_order);

}  // namespace allot
