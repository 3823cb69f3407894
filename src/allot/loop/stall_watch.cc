#include "allot/loop/stall_watch.h"

#include <algorithm>
#include <cmath>

#include "allot/core/error.h"

namespace allot {

void StallWatch::begin(const EngineProgress& now) {
  before_ = finished_ = now.finished;
  changed_ = clock_.seconds();
  told_ = 0;
}

std::optional<std::string> StallWatch::look(const EngineProgress& now,
                                            std::uint64_t submitted_and_open) {
  const double seconds = clock_.seconds();
  if (now.finished != finished_) {
    finished_ = now.finished;
    changed_ = seconds;
    told_ = 0;
  }
  const double silent = seconds - changed_;
  if (limit_s_ <= 0 || silent < limit_s_ * (told_ + 1)) return std::nullopt;
  told_ = static_cast<int>(silent / limit_s_);
  const std::uint64_t open =
      submitted_and_open - std::min(submitted_and_open, now.finished - before_);
  std::string text =
      concat("no rollout finished for ", std::lround(silent), " s; ", open, " are outstanding");
  if (now.longest > 0) text += concat(", the longest has ", now.longest, " tokens so far");
  return text;
}

}  // namespace allot
