// Watches for steps that teach nothing, and names the leading cause.
//
// Source: contract, section 6 (a warning once per 20 steps above a configured share) and
// conventions, section 6 (health line every 50 steps).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "allot/core/options.h"
#include "allot/core/types.h"
#include "allot/loop/prompt_source.h"
#include "allot/loop/recorder.h"

namespace allot {

struct HealthOptions {
  double warn_share = 0.5;  // of planned prompts that share one zero-signal cause
  int warn_every = 20;      // steps between two warnings
  int report_every = 50;    // steps between two health lines; 0 = none

  template <class V>
  void fields(V& v);
};

class HealthWatch {
 public:
  explicit HealthWatch(HealthOptions options) : options_(options) {}

  // Feeds one step's reports; returns what should be said now, if anything: a warning that names
  // the cause, its share and a few prompts, or the regular health line.
  std::optional<Event> step(std::uint64_t step, std::span<const GroupReport> reports,
                            const PromptSource& prompts);

 private:
  std::string shares() const;  // since the last health line

  HealthOptions options_;
  std::uint64_t planned_ = 0;
  std::array<std::uint64_t, 10> causes_{};  // by ZeroCause, since the last health line
  std::int64_t last_warning_ = -1000000;
};

template <class V>
void HealthOptions::fields(V& v) {
  v("warn_share", warn_share, Range{0, 1},
    "share of prompts with one zero-signal cause above which a warning is given");
  v("warn_every", warn_every, Range{1, 100000}, "least number of steps between two such warnings");
  v("report_every", report_every, Range{0, 100000}, "steps between two health lines; 0 = none");
}

}  // namespace allot
