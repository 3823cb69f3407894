// Ctrl-C and SIGTERM: the first asks the running phase to end, the second exits at once.
#pragma once

#include <atomic>

namespace allot {

// Installs the handlers on first use. The flag lives as long as the program.
const std::atomic<bool>& stop_requested();

}  // namespace allot
