// Ends exchanges that take too long or are no longer wanted.
//
// A server that sends one byte every few seconds never falls silent, so that the channel's own time
// limit never strikes; and nobody can tell a blocked read from within that its answer is not wanted
// any more. One thread looks after all of them. Thread-safe.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

#include "allot/remote/http_channel.h"

namespace allot::remote {

class Watch {
 public:
  Watch();
  ~Watch();  // all exchanges have ended
  Watch(const Watch&) = delete;

  enum class Ending : std::uint8_t { Free, TimedOut, Interrupted };

  // The exchange that `channel` is about to make; never 0. `unwanted` is asked now and then and
  // ends it, too; it must not block.
  std::uint64_t begin(HttpChannel& channel, double seconds,
                      std::function<bool()> unwanted = nullptr);
  // After it. Ending::Free: the watch did not touch it.
  Ending end(std::uint64_t exchange);
  // Ends it soon; returns at once. Unknown numbers are ignored.
  void interrupt(std::uint64_t exchange);

 private:
  using Time = std::chrono::steady_clock::time_point;
  struct Exchange {
    HttpChannel* channel = nullptr;
    Time limit;
    std::function<bool()> unwanted;
    Ending ending = Ending::Free;
  };

  void run();
  Time strike(Time now);  // interrupts what is due; when to look again

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::uint64_t, Exchange> exchanges_;
  std::uint64_t last_ = 0;
  Time wake_;  // when the thread looks again
  bool closing_ = false;
  std::thread thread_;
};

}  // namespace allot::remote
