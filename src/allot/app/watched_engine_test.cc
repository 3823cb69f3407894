#include "allot/app/watched_engine.h"

#include <atomic>
#include <future>
#include <stdexcept>

#include <gtest/gtest.h>

namespace allot {
namespace {

// Time stands still until somebody sets it.
class SetClock : public Clock {
 public:
  double seconds() const override { return now.load(); }
  std::atomic<double> now = 0;
};

// wait() ends when it is told to.
class HeldEngine : public RolloutEngine {
 public:
  EngineTraits traits() const override { return {}; }
  EngineCost cost() const override { return {}; }
  EngineProgress progress() const override { return {0, 17}; }
  void submit(std::span<const Work>) override {}
  void cancel(std::span<const RolloutId>) override {}
  std::vector<Rollout> wait() override {
    if (on_wait) on_wait();
    return std::vector<Rollout>(finishes);
  }
  void refresh(Version) override {}

  std::function<void()> on_wait;
  std::size_t finishes = 2;
};

class EventListener : public Recorder {
 public:
  void step(const StepRecord&) override {}
  void event(const Event& event) override {
    events.push_back(event);
    heard.set_value();
    if (breaks) throw std::runtime_error("the disk is full");
  }
  std::vector<Event> events;
  std::promise<void> heard;
  bool breaks = false;
};

Work work_of(std::uint32_t n) {
  Work work;
  work.issued.n = n;
  return work;
}

class Watched : public ::testing::Test {
 protected:
  // The engine stays in wait() until a warning was heard; the clock jumps when it is in there.
  void stall_for(double seconds) {
    inner.on_wait = [this, seconds] {
      clock.now = clock.now + seconds;
      listener.heard.get_future().wait();
    };
  }
  HeldEngine inner;
  SetClock clock;
  EventListener listener;
  WatchedEngine engine{inner, clock, 60, std::chrono::milliseconds(1)};
};

TEST_F(Watched, SaysThatNothingFinishesWhileItWaits) {
  engine.listen(listener, 7);
  engine.submit(std::vector<Work>{work_of(3), work_of(2)});
  EXPECT_EQ(engine.wait().size(), 2u);  // 3 are open from here on
  EXPECT_TRUE(listener.events.empty());
  stall_for(61);
  EXPECT_EQ(engine.wait().size(), 2u);
  ASSERT_EQ(listener.events.size(), 1u);
  EXPECT_EQ(listener.events[0].code, "stalled");
  EXPECT_EQ(listener.events[0].step, 7u);
  EXPECT_EQ(listener.events[0].text,
            "no rollout finished for 61 s; 3 are outstanding, the longest has 17 tokens so far");
  inner.on_wait = nullptr;
  clock.now = clock.now + 1000;  // between two calls nobody waits
  EXPECT_EQ(engine.wait().size(), 2u);
  EXPECT_EQ(listener.events.size(), 1u);
}

TEST_F(Watched, AFailureOfTheListenerIsOneOfWait) {
  engine.listen(listener, 0);
  engine.submit(std::vector<Work>{work_of(2)});
  listener.breaks = true;
  stall_for(60);
  EXPECT_THROW(engine.wait(), std::runtime_error);
}

TEST_F(Watched, WithoutAListenerItIsTheEngineAlone) {
  engine.submit(std::vector<Work>{work_of(2)});
  inner.on_wait = [this] { clock.now = 1e6; };
  EXPECT_EQ(engine.wait().size(), 2u);
  inner.finishes = 0;
  EXPECT_TRUE(engine.wait().empty());
}

}  // namespace
}  // namespace allot
