#include "allot/lm/team.h"

namespace allot::lm {
namespace {

// Lets the other hardware thread of the core have its turn.
inline void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

}  // namespace

void Barrier::wait() {
  constexpr int kSpins = 2000;  // tens of microseconds; a sleeping thread takes as long to wake
  const std::uint32_t round = round_.load(std::memory_order_acquire);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == count_) {
    arrived_.store(0, std::memory_order_relaxed);
    round_.fetch_add(1, std::memory_order_release);
    round_.notify_all();
    return;
  }
  for (int i = 0; i < kSpins; ++i) {
    if (round_.load(std::memory_order_acquire) != round) return;
    relax();
  }
  while (round_.load(std::memory_order_acquire) == round) {
    round_.wait(round, std::memory_order_acquire);
  }
}

Team::Team(int members) : size_(members), barrier_(members) {
  for (int i = 1; i < size_; ++i) threads_.emplace_back([this, i] { serve(i); });
}

Team::~Team() {
  work_ = nullptr;
  if (size_ > 1) barrier_.wait();
}

void Team::run(const std::function<void(const TeamMember&)>& work) {
  work_ = &work;
  if (size_ > 1) barrier_.wait();
  work({0, size_, &barrier_});
  if (size_ > 1) barrier_.wait();
}

void Team::serve(int index) {
  for (;;) {
    barrier_.wait();
    if (work_ == nullptr) return;
    (*work_)({index, size_, &barrier_});
    barrier_.wait();
  }
}

}  // namespace allot::lm
