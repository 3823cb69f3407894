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
    if (const auto event = health_.step(record.step, record.batch.reports, record.prompts))
      this->event(*event);
  }
  void event(const Event& event) override {
    folder_.event(event);
    console_.event(event);
  }
  void progress(const Progress& progress) override { console_.progress(progress); }

 private:
  Recorder& folder_;
  Recorder& console_;
  HealthWatch health_;
};

}  // namespace allot
