// A task, and further held-out sets, as the model of a run reads them.
#pragma once

#include <vector>

#include "allot/app/config.h"
#include "allot/tasks/file_task.h"
#include "allot/tasks/registry.h"
#include "allot/text/tokenizer.h"

namespace allot {

// `drawn` with its prompts written out (data.template) and fitted into `context` tokens beside the
// longest response (data.max_prompt_tokens, data.overlong); prompts of built-in tasks that do not
// fit are an error. Task::longest_response is then in tokens. Throws Error(Data), Error(Model) for
// the chat template.
Task prepare_task(Task drawn, const RunConfig& config, const Tokenizer& tokenizer, int context);

// The sets of eval.sets, likewise; `task` says how long responses may be.
std::vector<HeldOutSet> held_out_sets(const RunConfig& config, const Task& task,
                                      const Tokenizer& tokenizer, int context);

}  // namespace allot
