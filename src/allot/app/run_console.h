// What a person sees while a run goes on.
//
// On an interactive terminal: one bar per phase, and a summary line every log.every steps.
// Elsewhere: one plain line per step. Source: conventions, section 6.
#pragma once

#include <cstdint>
#include <string>

#include "allot/app/terminal.h"
#include "allot/loop/clock.h"
#include "allot/loop/recorder.h"

namespace allot {

class RunConsole : public Recorder {
 public:
  explicit RunConsole(Terminal& terminal) : terminal_(terminal) {}

  // Names the run whose steps follow ("aero, seed 1"), its number of steps (0 = unknown) and how
  // often an interactive terminal gets a line.
  void begin_run(const std::string& name, std::uint64_t steps, int every);

  void step(const StepRecord& record) override;
  void event(const Event& event) override;
  void progress(const Progress& progress) override;

 private:
  std::string time_left(std::uint64_t done) const;
  void explain_loss(const StepRecord& record);

  Terminal& terminal_;
  std::uint64_t steps_ = 0, first_step_ = 0;
  bool first_seen_ = false;
  int every_ = 1;
  bool loss_explained_ = false;
  Clock clock_;
  double run_start_ = 0, last_bar_ = 0;
  std::string phase_;  // of the bar shown, since when, and how far it was then
  double phase_start_ = 0, phase_done_ = 0;
  std::uint64_t phase_tokens_ = 0;
};

}  // namespace allot
