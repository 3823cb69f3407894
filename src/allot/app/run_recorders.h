// What a run tells, handed to everybody who listens.
#pragma once

#include "allot/loop/health.h"
#include "allot/loop/recorder.h"

namespace allot {

// The run folder and the console, with the health watch in front of both. Of failures of a verifier
// the first ten are told with their text; the others are only counted (verifier/error).
class RunRecorders : public Recorder {
 public:
  RunRecorders(Recorder& folder, Recorder& console, HealthOptions health)
      : folder_(folder), console_(console), health_(health) {}

  void step(const StepRecord& record) override {
    folder_.step(record);
    console_.step(record);
    for (const Event& event : health_.step(record)) this->event(event);
  }
  void event(const Event& event) override {
    if (event.code == "verifier_error" && ++verifier_errors_ > kErrorsTold) return;
    folder_.event(event);
    console_.event(event);
  }
  void progress(const Progress& progress) override { console_.progress(progress); }

  // A health rule (health.stop_after) ends the run.
  bool must_stop() const { return health_.must_stop(); }

 private:
  static constexpr int kErrorsTold = 10;

  Recorder& folder_;
  Recorder& console_;
  HealthWatch health_;
  int verifier_errors_ = 0;
};

}  // namespace allot
