// How many further prompts to draw when a batch of groups with signal is not yet full.
#pragma once

#include <cstdint>

namespace allot {

// How far the batch of a step is filled.
struct Filling {
  std::uint32_t wanted = 0;         // groups of a full batch
  std::uint32_t have = 0;           // groups at hand, those of earlier steps included
  std::uint32_t accepted = 0;       // of the groups seen in this step ...
  std::uint32_t seen = 0;           // ... of which there are so many
  double candidates_per_group = 1;  // the largest draw is this times `wanted`
};

// DAPO's refill: a quarter more prompts than the missing groups need at the share accepted so far
// (taken as at least 5 %), at most the largest draw, but at least 8. 0 if nothing is missing.
//
//   max(8, min(largest, ceil(1.25 * missing / max(accepted / seen, 0.05))))
//
// Before a group was seen the share is 1 / candidates_per_group: a step without surplus starts with
// the largest draw, one with surplus draws for what is missing.
std::uint32_t draw_size(const Filling& filling);

}  // namespace allot
