// What the worker threads of generation share: the requests that wait, the ones begun, and the way
// out for finished sequences. Internal to lm/.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "allot/lm/decode_state.h"
#include "allot/lm/generator.h"

namespace allot::lm {

// A request whose sequences have begun. The worker that claims it runs its prompt.
template <class T>
class OpenRequest {
 public:
  explicit OpenRequest(const GenerationRequest& request) : request(request) {}

  const GenerationRequest& request;
  std::unique_ptr<kernels::KeyValueCache<T>> cache;  // of the prompt
  std::vector<T> logits;                             // [vocab] after the prompt, for first tokens

  bool claim() { return !claimed_.exchange(true); }
  // The prompt has been run, or never will be.
  void settle(bool ready) {
    state_.store(ready ? kReady : kFailed, std::memory_order_release);
    state_.notify_all();
  }
  // Waits for the prompt; false if it failed, which stops all workers.
  bool wait() const {
    state_.wait(kPending, std::memory_order_acquire);
    return state_.load(std::memory_order_acquire) == kReady;
  }
  // One of the request's first tokens has been drawn; the last one frees the logits.
  void first_token_drawn() {
    if (drawn_.fetch_add(1, std::memory_order_acq_rel) + 1 == request.n) logits = {};
  }

 private:
  static constexpr int kPending = 0, kReady = 1, kFailed = 2;
  std::atomic<bool> claimed_{false};
  std::atomic<int> state_{kPending};
  std::atomic<std::uint32_t> drawn_{0};
};

// One sequence that waits or runs.
template <class T>
struct Ticket {
  std::shared_ptr<OpenRequest<T>> open;
  std::uint32_t index = 0;  // in the request
};

// The sequences not yet begun. Thread-safe.
template <class T>
class WaitingQueue {
 public:
  explicit WaitingQueue(const std::vector<GenerationRequest>& requests) : requests_(requests) {}

  // Up to `most` sequences, in the order of the requests.
  std::vector<Ticket<T>> take(std::size_t most) {
    const std::lock_guard lock(mutex_);
    std::vector<Ticket<T>> tickets;
    while (tickets.size() < most) {
      while (next_ < requests_.size() && index_ >= requests_[next_].n) {
        ++next_;
        index_ = 0;
        open_.reset();
      }
      if (next_ == requests_.size()) break;
      if (!open_) open_ = std::make_shared<OpenRequest<T>>(requests_[next_]);
      tickets.push_back({open_, index_++});
    }
    if (next_ < requests_.size() && index_ == requests_[next_].n) open_.reset();
    return tickets;
  }

 private:
  std::mutex mutex_;
  const std::vector<GenerationRequest>& requests_;
  std::size_t next_ = 0;
  std::uint32_t index_ = 0;
  std::shared_ptr<OpenRequest<T>> open_;
};

// What workers hand to the calling thread.
class Outbox {
 public:
  explicit Outbox(int workers) : working_(workers) {}

  void put(std::vector<GeneratedSequence>& sequences) {
    if (sequences.empty()) return;
    {
      const std::lock_guard lock(mutex_);
      std::move(sequences.begin(), sequences.end(), std::back_inserter(ready_));
    }
    changed_.notify_one();
    sequences.clear();
  }
  void worker_ended(std::exception_ptr error, const GenerationCost& cost) {
    {
      const std::lock_guard lock(mutex_);
      --working_;
      if (error && !error_) error_ = error;
      cost_.prefilled += cost.prefilled;
      cost_.generated += cost.generated;
    }
    changed_.notify_one();
  }
  // The next finished sequences; false when all workers ended and nothing is left.
  bool take(std::deque<GeneratedSequence>& sequences) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !ready_.empty() || working_ == 0; });
    sequences = std::exchange(ready_, {});
    return !sequences.empty();
  }
  // After the workers ended.
  std::exception_ptr error() const { return error_; }
  GenerationCost cost() const { return cost_; }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<GeneratedSequence> ready_;
  int working_;
  std::exception_ptr error_;
  GenerationCost cost_;
};

}  // namespace allot::lm
