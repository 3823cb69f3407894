// Independent jobs on several threads.
#pragma once

#include <cstddef>
#include <functional>

namespace allot::sim {

// Calls job(0) .. job(n - 1), each once, on up to `threads` threads (at least 1), in any order. The
// first exception is thrown again after the running jobs have ended; the rest is not begun.
void for_each_index(std::size_t n, std::size_t threads,
                    const std::function<void(std::size_t)>& job);

}  // namespace allot::sim
