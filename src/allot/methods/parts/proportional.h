// Integers in given proportions, within bounds and with a given sum.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace allot {

// n_i proportional to weight_i (> 0), clipped to [low, high] by water-filling and rounded by the
// largest remainder, ties by order. The sum is `total` where low * count <= total <= high * count;
// a smaller total gives `low` each and a larger one `high` each.
std::vector<std::uint32_t> proportional_counts(std::span<const double> weights, std::uint64_t total,
                                               std::uint32_t low, std::uint32_t high);

// Before rounding.
std::vector<double> proportional_shares(std::span<const double> weights, double total, double low,
                                        double high);

}  // namespace allot
