// Whether a run may go on: under the configuration and the data that it was started with.
//
// Keys that change neither data nor decisions (logging, evaluation, workers, limits) may differ,
// and those that checkpoint.allow_changes names, also by section ("optim"). train.max_steps may not
// where decisions look ahead to it. A version of the math verifier that judges otherwise is one of
// the differences, by the name "verifier". Another method, seed or data set is refused in any case:
// what the controller knows belongs to them.
#pragma once

#include <cstdint>
#include <string>

#include "allot/app/config.h"
#include "allot/store/run_folder.h"

namespace allot {

// The data that a run is about to use, as facts of run.sqlite.
struct DataFacts {
  std::string prompts;  // number of training prompts
  std::string hash;     // of their keys and answers

  static DataFacts of(const PromptSource& train);
};

// Throws Error(Model) that lists every difference.
void refuse_changes(const RunFolder& folder, const RunConfig& now, const DataFacts& data);

}  // namespace allot
