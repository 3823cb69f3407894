// One training run: from its configuration to a finished run folder.
//
// A restart of the same folder continues from the newest complete checkpoint; a finished run is
// recognised and left alone. An interrupt ends the running phase, drops the open step and leaves a
// checkpoint of the last step boundary.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "allot/app/config.h"
#include "allot/app/starting_point.h"
#include "allot/loop/recorder.h"
#include "allot/store/run_recorder.h"

namespace allot {

// What every long command gets from the program: where to report and when to stop.
struct Services {
  Recorder& console;
  const std::atomic<bool>& stop;
};

struct TrainRequest {
  RunConfig config;
  std::string given;             // text of the configuration, for config.yaml
  std::filesystem::path folder;  // runs/NAME
  bool fresh = false;            // start NAME-2 instead of continuing
};

struct TrainResult {
  RunStatus status = RunStatus::Finished;
  std::filesystem::path folder;
  std::uint64_t steps = 0;         // completed in the run so far
  std::uint64_t resumed_from = 0;  // step of the checkpoint it continued from, 0 = none
  bool was_finished = false;       // nothing was left to do
};

// Trains the weights of `start`: copy() it where they are needed again.
TrainResult train(const TrainRequest& request, const StartingPoint& start,
                  const Services& services);

}  // namespace allot
