// What a run tells, handed to everybody who listens.
#pragma once

#include "allot/loop/health.h"
#include "allot/loop/recorder.h"

namespace allot {

// The run folder and the console, with the health watch in front of both.
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
    folder_.event(event);
    console_.event(event);
  }
  void progress(const Progress& progress) override { console_.progress(progress); }

  // A health rule (health.stop_after) ends the run.
  bool must_stop() const { return health_.must_stop(); }

 private:
  Recorder& folder_;
  Recorder& console_;
  HealthWatch health_;
};

}  // namespace allot
