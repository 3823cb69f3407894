// What a run did with every prompt, visit by visit: the material of the prompt ledger.
//
//   PromptHistory history = read_prompt_history("runs/digits");
//   for (const PromptVisit& visit : history.visits) history.prompts[visit.prompt].key ...
//
// Reads also while the run is being written. Throws Error(Model) as RunReader does.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "allot/core/types.h"
#include "allot/store/run_folder.h"

namespace allot {

// One step's work on one prompt. All counts are rollouts of that step, but for `tokens`.
struct PromptVisit {
  std::uint64_t step = 0;
  std::uint32_t prompt = 0;  // index into PromptHistory::prompts
  std::uint32_t generated = 0, correct = 0;
  std::uint32_t verdicts = 0, right = 0;  // scored ones of the first round, and those right
  std::uint32_t trained = 0;              // shipped to the optimizer, of earlier steps too
  std::uint64_t tokens = 0;               // generated
  ZeroCause cause = ZeroCause::None;
};

struct HistoryPrompt {
  PromptId id = 0;
  std::string key;   // the user's name of it
  std::string text;  // its beginning, at most kPromptTextLimit characters; "" if never planned
};

inline constexpr int kPromptTextLimit = 400;

struct PromptHistory {
  // The training data, ascending by id; of a run of an early version only what was planned.
  std::vector<HistoryPrompt> prompts;
  std::vector<PromptVisit> visits;  // in the order of the run
};

PromptHistory read_prompt_history(const RunFolderPath& run);

}  // namespace allot
