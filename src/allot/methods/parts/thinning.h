// Random thinning with inverse-probability weights: what is left has the expectation of the whole,
// as long as it is divided by the size of the whole and not by what is left.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "allot/methods/parts/ragged.h"

namespace allot {

// Of a value below `threshold`: 0 if it is dropped, which it is with chance `rate`, else 1 / chance
// to stay. 1 of any other. `uniform`: a draw from (0, 1).
double thinning_weight(double value, double threshold, double rate, double uniform);

// Greedy packing of sequences into rows of at most `limit` positions: of the `window` oldest that
// are waiting, the longest that fits goes next; where none fits a new row begins. Each sequence of
// at most `limit` positions is in exactly one row; longer ones are left out. Returns the rows, by
// positions in `lengths`. O(n * window).
Ragged<std::size_t> pack_rows(std::span<const std::uint32_t> lengths, std::uint32_t limit,
                              std::size_t window);

// Used share of these rows; 0 of none.
double row_fill(std::span<const std::uint32_t> lengths, const Ragged<std::size_t>& rows,
                std::uint32_t limit);

}  // namespace allot
