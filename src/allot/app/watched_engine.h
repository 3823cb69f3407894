// An engine under watch: while wait() goes on, a thread looks now and then whether rollouts still
// finish, and says so where none did for health.stall_s.
//
// The listener is called in that thread, but only while wait() runs and never after it has
// returned, so that it is never called from two threads at once.
#pragma once

#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "allot/loop/engine.h"
#include "allot/loop/recorder.h"
#include "allot/loop/stall_watch.h"

namespace allot {

class WatchedEngine final : public RolloutEngine {
 public:
  // All outlive the engine. `limit_s` as in StallWatch.
  WatchedEngine(RolloutEngine& inner, const Clock& clock, double limit_s,
                std::chrono::milliseconds look_every = std::chrono::seconds(1));
  ~WatchedEngine() override;

  // Who hears of it from now on, as an event of `step`.
  void listen(Recorder& recorder, std::uint64_t step);

  EngineTraits traits() const override { return inner_.traits(); }
  EngineCost cost() const override { return inner_.cost(); }
  EngineProgress progress() const override { return inner_.progress(); }
  void submit(std::span<const Work> work) override;
  void cancel(std::span<const RolloutId> ids) override { inner_.cancel(ids); }
  // An exception of the listener passes through here.
  std::vector<Rollout> wait() override;
  void refresh(Version version) override { inner_.refresh(version); }

 private:
  struct Watching;
  void look_on();

  RolloutEngine& inner_;
  const std::chrono::milliseconds look_every_;
  std::uint64_t open_ = 0;  // submitted and not returned

  std::mutex mutex_;  // of what follows
  std::condition_variable changed_;
  StallWatch watch_;
  Recorder* recorder_ = nullptr;
  std::uint64_t step_ = 0;
  bool is_waiting_ = false, is_closing_ = false;
  std::exception_ptr failure_;  // of the listener
  std::thread thread_;          // runs look_on()
};

}  // namespace allot
