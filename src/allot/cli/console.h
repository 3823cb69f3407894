// What a person sees while a run goes on, on standard error.
//
// On a terminal: one bar that is redrawn, and a summary line every log.every steps. Elsewhere: one
// plain line per step, without control characters. Results go to standard output, not through here.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>

#include "allot/loop/clock.h"
#include "allot/loop/recorder.h"

namespace allot {

class Console : public Recorder {
 public:
  // `quiet` leaves only warnings and errors.
  Console(std::FILE* out, bool is_terminal, bool quiet)
      : out_(out), tty_(is_terminal), quiet_(quiet) {}

  // Names the run whose steps follow ("aero, seed 1"), its number of steps (0 = unknown) and how
  // often a terminal gets a line.
  void begin_run(const std::string& name, std::uint64_t steps, int every);
  void end_run();
  void line(const std::string& text);

  void step(const StepRecord& record) override;
  void event(const Event& event) override;
  void progress(const Progress& progress) override;

 private:
  void clear_bar();
  void draw_bar(const std::string& text);
  std::string time_left(std::uint64_t done) const;

  std::FILE* out_;
  bool tty_, quiet_;
  bool bar_shown_ = false;
  std::string run_;
  std::uint64_t steps_ = 0, first_step_ = 0;
  bool first_seen_ = false;
  int every_ = 1;
  Clock clock_;
  double run_start_ = 0, last_draw_ = 0;
};

}  // namespace allot
