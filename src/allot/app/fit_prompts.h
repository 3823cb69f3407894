// Prompts that are too long for a model, by the rule of data.overlong.
#pragma once

#include <cstddef>
#include <string>

#include "allot/tasks/prompt_list.h"
#include "allot/tasks/prompt_options.h"
#include "allot/text/tokenizer.h"

namespace allot {

// Leaves out or cuts the prompts of more than `limit` tokens; TruncateLeft cuts whole characters.
// Returns what was done, for people; "" where all fit. Throws Error(Data): rule Overlong::Error and
// one does not fit, none is left, or a prompt with characters that the tokenizer does not know.
// `tokenizer` outlives prompts that are streamed.
std::string fit_prompts(PromptList& prompts, const Tokenizer& tokenizer, std::size_t limit,
                        Overlong rule);

}  // namespace allot
