// Watches for steps that teach nothing, and names the leading cause.
//
// Says four things: a warning when one cause alone holds more than a share of a step's prompts, an
// alarm when most groups carried no signal for many steps in a row, the regular health line, and
// that the run has to stop. Source: contract, section 6 (a warning once per 20 steps above a
// configured share) and conventions, section 6 (alarm, health line, health.stop_after).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "allot/core/options.h"
#include "allot/core/types.h"
#include "allot/loop/constant_rewards.h"
#include "allot/loop/missing_answers.h"
#include "allot/loop/prompt_source.h"
#include "allot/loop/recorder.h"

namespace allot {

struct HealthOptions {
  double warn_share = 0.5;  // of planned prompts without signal
  int warn_every = 20;      // steps between two warnings; steps in a row for an alarm
  int report_every = 50;    // steps between two health lines; 0 = none
  int stop_after = 0;       // steps in a row without any signal that end the run; 0 = never
  double stall_s = 60;      // seconds without a finished rollout that are worth a warning; 0 = none
  int constant_steps = 10;  // first steps in which a constant reward function is noticed; 0 = none
  int answer_steps = 20;    // first steps in which missing answers are noticed; 0 = none

  template <class V>
  void fields(V& v);
};

class HealthWatch {
 public:
  explicit HealthWatch(HealthOptions options)
      : options_(options),
        constant_rewards_(options.constant_steps),
        missing_answers_(options.answer_steps) {}

  // Feeds one step; returns what should be said now, codes "zero_signal", "no_signal", "health",
  // "health_stop", "constant_reward" and "no_answers". Reads ledger/{dead,solved},
  // verifier/{error,not_scorable} and reward/{fn}/{mean,std} of its metrics, and counts none of
  // them itself. What is counted begins anew when a run resumes.
  std::vector<Event> step(const StepRecord& record);

  // health.stop_after steps in a row had no prompt with signal.
  bool must_stop() const {
    return options_.stop_after > 0 &&
           silent_steps_ >= static_cast<std::uint64_t>(options_.stop_after);
  }

 private:
  using Causes = std::array<std::uint64_t, 10>;  // prompts by ZeroCause

  std::optional<Event> warning(const StepRecord& record, const Causes& now);
  std::optional<Event> alarm(std::uint64_t step);
  std::optional<Event> stop(std::uint64_t step) const;
  std::optional<Event> line(const StepRecord& record);

  HealthOptions options_;
  ConstantRewards constant_rewards_;
  MissingAnswers missing_answers_;
  Causes reported_{};  // since the last health line
  Causes poor_{};      // of the steps in a row that are mostly without signal
  std::uint64_t poor_steps_ = 0;
  std::uint64_t silent_steps_ = 0;  // steps in a row without any signal
  double verifier_faults_ = 0;      // since the last health line
  std::int64_t last_warning_ = -1000000;
};

template <class V>
void HealthOptions::fields(V& v) {
  v("warn_share", warn_share, Range{0, 1},
    "share of prompts without signal above which a warning is given");
  v("warn_every", warn_every, Range{1, 100000},
    "least number of steps between two warnings of one cause, and steps in a row above warn_share "
    "that raise the alarm");
  v("report_every", report_every, Range{0, 100000}, "steps between two health lines; 0 = none");
  v("stop_after", stop_after, Range{0, 1e9},
    "ends the run with exit code 7 after so many steps in a row without any signal; 0 = never");
  v("stall_s", stall_s, Range{0, 1e6},
    "seconds without a finished rollout after which the run says so; 0 = never");
  v("constant_steps", constant_steps, Range{0, 1e6},
    "first steps after which a reward function that gave every response the same value is named; "
    "0 = never");
  v("answer_steps", answer_steps, Range{0, 1e6},
    "first steps in which it is said once, with examples, that more than 90 % of the responses "
    "hold "
    "no answer; 0 = never");
}

}  // namespace allot
