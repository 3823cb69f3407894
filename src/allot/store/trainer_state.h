// trainer_state.json of a checkpoint: where the run stands, under the names that transformers and
// TRL give to it, so that their tools read it. Resuming does not need it.
#pragma once

#include <cstdint>
#include <string>

#include "allot/store/sqlite.h"

namespace allot {

// What run.sqlite does not say.
struct TrainerFacts {
  std::uint64_t max_steps = 0;  // of the configuration
  int log_every = 10, eval_every = 0, save_every = 0;
};

// `step`: steps completed. log_history has one entry per evaluation and per `log_every` steps, the
// newest 1,000 of them; num_input_tokens_seen counts prompt positions prefilled and tokens
// generated.
std::string trainer_state_json(const SqliteConnection& run, std::uint64_t step,
                               const TrainerFacts& facts);

}  // namespace allot
