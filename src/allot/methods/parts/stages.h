// Further rounds of methods that sample in stages: who is still unfinished is asked again.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "allot/core/types.h"
#include "allot/methods/parts/group_pool.h"

namespace allot {

// One request of `n` with `tag` for each prompt in order, noted in `pool`, as far as the hard caps
// of `left` reach. A prompt gets at most Budget::n_max rollouts in the step, so that its last
// request may be smaller; one that has them all is passed over.
std::vector<GenRequest> request_stage(std::span<const PromptId> prompts, std::uint32_t n,
                                      std::uint32_t tag, const Budget& left, GroupPool& pool);

}  // namespace allot
