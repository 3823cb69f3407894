// The seeds of a comparison, each in a process of its own: this program once more, with the same
// command line and the seed.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include <sys/types.h>

#include "allot/app/terminal.h"

namespace allot {

struct SeedProcesses {
  std::filesystem::path folder;  // of the comparison; made if missing. Logs: folder/seed-N.log
  int at_once = 1;
  Terminal& terminal;
  const std::atomic<bool>& stop;  // passed on to the processes, which then end cleanly

  // Returns 0 when all seeds are done, kStoppedByUser, or the exit code of the first that failed,
  // after the others came to their end; what it said last is then shown as a warning.
  int run(std::span<const std::uint64_t> seeds) const;
};

// In such a process: end with the one that started it, however that ends, so that its run folders
// are free when the command is given again.
void end_with_parent(pid_t parent);

}  // namespace allot
