// Time, injected: metrics and time-outs read it; no decision and no state depends on it.
#pragma once

#include <chrono>

namespace allot {

class Clock {
 public:
  virtual ~Clock() = default;
  // Seconds since an arbitrary fixed moment; never goes back.
  virtual double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
  }
};

}  // namespace allot
