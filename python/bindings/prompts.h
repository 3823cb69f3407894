// Prompts from Python: an id below 2^63, a string (hashed as in core/prompt_id.h), or allot.Prompt.
#pragma once

#include <optional>
#include <vector>

#include "allot/core/types.h"
#include "bindings/values.h"

namespace allot::python {

// What allot.Prompt holds.
struct Prompt {
  PromptId id = 0;
  std::uint32_t epoch = 0;
  std::vector<float> embedding;
  std::optional<float> prior_pass_rate;

  PromptRef ref() const { return {id, epoch, embedding, prior_pass_rate}; }
};

PromptId prompt_id_of(nb::handle value, const Place& place);

// Any sequence of prompts, or an array of whole numbers; None means none. `what` names the
// argument.
std::vector<Prompt> prompts_of(nb::handle values, std::string_view what);

std::vector<PromptRef> refs_of(const std::vector<Prompt>& prompts);  // into `prompts`

}  // namespace allot::python
