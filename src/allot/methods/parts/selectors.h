// Which rollouts of a group are trained on. Draws are uniform, from a stream that depends only on
// (seed, step, prompt); positions added to a list ascend, as issue order does.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "allot/core/random.h"
#include "allot/core/types.h"
#include "allot/methods/parts/group_pool.h"
#include "allot/methods/parts/ragged.h"

namespace allot {

// The stream of one prompt's selection within one step.
RandomStream selection_stream(std::uint64_t seed, std::uint64_t step, PromptId prompt);

// Brings a random k of `values` to the front, in random order; k <= their number.
void draw_to_front(std::span<std::uint32_t> values, std::uint32_t k, RandomStream stream);

// Leaves a random min(k, size) of the open list, ascending.
void leave_random_subset(Ragged<std::uint32_t>& kept, std::uint32_t k, RandomStream stream);

// Adds a list: all c correct rollouts and a random min(wrong_per_correct * c, all) of the wrong
// ones. AERO's rejection.
void add_correct_and_some_wrong(const Group& group, std::uint32_t wrong_per_correct,
                                RandomStream stream, Ragged<std::uint32_t>& kept);

// How many of each of two sides are kept by who keeps the first n/2 of the second and the first
// n - n/2 of the first side; one that is too short is filled up from the other. At most n in all.
std::array<std::uint32_t, 2> balanced_firsts(std::array<std::uint32_t, 2> sides, std::uint32_t n);

}  // namespace allot
