#include "allot/app/watched_engine.h"

#include <algorithm>
#include <utility>

namespace allot {

// While it lives, the thread looks.
struct WatchedEngine::Watching {
  explicit Watching(WatchedEngine& engine) : engine(engine) { set(true); }
  ~Watching() { set(false); }
  void set(bool is_waiting) const {
    {
      const std::lock_guard lock(engine.mutex_);
      engine.is_waiting_ = is_waiting;
      if (is_waiting) engine.watch_.begin(engine.inner_.progress());
    }
    engine.changed_.notify_one();
  }
  WatchedEngine& engine;
};

WatchedEngine::WatchedEngine(RolloutEngine& inner, const Clock& clock, double limit_s,
                             std::chrono::milliseconds look_every)
    : inner_(inner),
      look_every_(look_every),
      watch_(clock, limit_s),
      thread_([this] { look_on(); }) {}

WatchedEngine::~WatchedEngine() {
  {
    const std::lock_guard lock(mutex_);
    is_closing_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void WatchedEngine::listen(Recorder& recorder, std::uint64_t step) {
  const std::lock_guard lock(mutex_);
  recorder_ = &recorder;
  step_ = step;
}

void WatchedEngine::submit(std::span<const Work> work) {
  inner_.submit(work);
  for (const Work& one : work) open_ += one.issued.n;
}

std::vector<Rollout> WatchedEngine::wait() {
  std::vector<Rollout> rollouts;
  {
    const Watching watching(*this);
    rollouts = inner_.wait();
  }
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
  // An idle engine has dropped what was open.
  open_ = rollouts.empty() ? 0 : open_ - std::min<std::uint64_t>(open_, rollouts.size());
  return rollouts;
}

void WatchedEngine::look_on() {
  std::unique_lock lock(mutex_);
  while (!is_closing_) {
    if (!is_waiting_) {
      changed_.wait(lock, [this] { return is_waiting_ || is_closing_; });
      continue;
    }
    changed_.wait_for(lock, look_every_, [this] { return !is_waiting_ || is_closing_; });
    if (!is_waiting_ || is_closing_ || recorder_ == nullptr || failure_) continue;
    const auto text = watch_.look(inner_.progress(), open_);
    try {
      if (text) recorder_->event({Severity::Warning, "stalled", *text, step_});
    } catch (...) {
      failure_ = std::current_exception();
    }
  }
}

}  // namespace allot
