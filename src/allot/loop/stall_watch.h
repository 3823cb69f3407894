// Notices that no rollout has finished for a while. Source: conventions, section 6 (60 seconds).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "allot/loop/clock.h"
#include "allot/loop/engine.h"

namespace allot {

// Not thread-safe.
class StallWatch {
 public:
  // `limit_s` 0: never. `clock` outlives it.
  StallWatch(const Clock& clock, double limit_s) : clock_(clock), limit_s_(limit_s) {}

  // Waiting begins.
  void begin(const EngineProgress& now);

  // Looks while it goes on. After every `limit_s` seconds without a rollout that finished:
  // "no rollout finished for 60 s; 48 are outstanding, the longest has 812 tokens so far".
  std::optional<std::string> look(const EngineProgress& now, std::uint64_t submitted_and_open);

 private:
  const Clock& clock_;
  double limit_s_;
  std::uint64_t before_ = 0;    // finished when waiting began
  std::uint64_t finished_ = 0;  // when it last changed, and when that was
  double changed_ = 0;
  int told_ = 0;  // since then
};

}  // namespace allot
