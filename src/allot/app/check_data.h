// What is refused before a run starts, so that no time is spent on it.
#pragma once

#include "allot/app/config.h"
#include "allot/tasks/registry.h"
#include "allot/text/tokenizer.h"

namespace allot {

// Throws Error(Data): a prompt with characters that the tokenizer does not know, or one that does
// not fit with its response into `context` tokens.
void check_prompts(const RunConfig& config, const Task& task, const Tokenizer& tokenizer,
                   int context);

// Throws Error(Data): fewer training prompts than train.prompts_per_step.
void check_step_size(const RunConfig& config, const Task& task);

// Tokens that a response may have: the longest correct one of the task, and the end token.
std::uint32_t longest_response(const Task& task);

}  // namespace allot
