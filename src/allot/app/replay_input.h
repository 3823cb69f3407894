// The input of a replay: prompts with their outcomes, by step. Format: app/replay.h.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "allot/core/types.h"

namespace allot {

struct ReplayPrompt {
  PromptId id = 0;
  std::string label;              // as given, as JSON text: 17 or "aime-3"
  std::vector<Outcome> outcomes;  // without ids; in issue order
};

struct ReplayInput {
  std::map<std::uint64_t, std::vector<ReplayPrompt>> steps;  // prompts in file order
  std::uint32_t max_tokens = 0;                              // of the longest outcome
};

// Throws Error(Data) "[where:line] ..." for a line that is not such an object, and for input
// without any.
ReplayInput read_replay(std::string_view text, std::string_view where);

}  // namespace allot
