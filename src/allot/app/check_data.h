// What is refused before a run starts, so that no time is spent on it.
#pragma once

#include "allot/app/config.h"
#include "allot/tasks/registry.h"

namespace allot {

// Throws Error(Data): fewer training prompts than train.prompts_per_step.
void check_step_size(const RunConfig& config, const Task& task);

// Tokens that a response may have: the longest correct one of the task, and the end token. Of a
// task of files it is known once it is prepared (app/prepare_task.h).
std::uint32_t longest_response(const Task& task);

// The same with rollout.max_new_tokens, where it is set.
std::uint32_t response_limit(const RunConfig& config, const Task& task);

}  // namespace allot
