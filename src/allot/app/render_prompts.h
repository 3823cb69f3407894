// Prompts written out for a model: by a chat template, or as they are.
#pragma once

#include <string>

#include "allot/tasks/prompt_list.h"
#include "allot/tasks/prompt_options.h"

namespace allot {

// Sets Prompt::text of conversations, and with Rendering::Chat of all prompts. `folder`: of the
// model, "" where there is none. Keys and messages stay.
// Throws Error(Data): a conversation, and no chat template; the template refuses it.
// Error(Model): the template itself. Error(Config): switches that are no NAME=true or NAME=false.
void render_prompts(PromptList& prompts, const PromptOptions& options, const std::string& folder);

}  // namespace allot
