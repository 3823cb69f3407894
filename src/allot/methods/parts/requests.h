// Requests within the hard caps of a step: a request beyond one would be an error of the method.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "allot/core/types.h"
#include "allot/methods/parts/group_pool.h"

namespace allot {

// Rollouts that can still be requested under hard_rollouts, hard_tokens (each rollout reserves its
// longest answer) and run_rollouts; the largest number if there is no cap.
std::uint64_t affordable_rollouts(const Budget& left);

// Whole groups of n that can still be requested; n > 0.
std::uint32_t affordable_groups(std::uint32_t n, const Budget& left);

// `n` within Budget::n_min and n_max.
std::uint32_t within_bounds(std::uint32_t n, const Budget& budget);

// One request of `n` for each prompt in order, noted in `pool`, as far as `affordable` reaches. The
// prompt that it reaches only in part gets what is left if that is at least two; the prompts after
// it are not planned. No error: a small budget plans fewer prompts.
std::vector<GenRequest> request_each(std::span<const PromptId> prompts, std::uint32_t n,
                                     std::uint64_t affordable, GroupPool& pool);

// A request of counts[i] for prompts[i], noted in `pool` in this order; none for 0. The requests
// come largest first, as long groups take longest.
std::vector<GenRequest> request_counts(std::span<const PromptId> prompts,
                                       std::span<const std::uint32_t> counts, GroupPool& pool);

// Asks for `requests`; a step that asks for nothing is over.
Decision ask(std::vector<GenRequest> requests);

// Asks for `n`, within the bounds of the budget, for each candidate as far as its caps reach.
Decision ask_each(const BatchView& view, std::uint32_t n, GroupPool& pool);

// Takes in what has come. For steps that ask once: over when everything has, or at the deadline.
Decision await_all(const Events& events, GroupPool& pool);

std::vector<PromptId> ids_of(std::span<const PromptRef> prompts);

}  // namespace allot
