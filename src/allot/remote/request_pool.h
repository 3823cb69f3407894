// Many requests in flight: each is sent, checked and repeated until it is answered, failed for good
// or not wanted any more, and then comes out exactly once.
//
// Up to in_flight threads, started as they are needed, each with a connection of its own. While the
// server asks for a pause (429, 503 with Retry-After) nobody sends. The public functions belong to
// one thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "allot/core/error.h"
#include "allot/loop/engine.h"
#include "allot/remote/completion.h"
#include "allot/remote/http_channel.h"
#include "allot/remote/retry.h"
#include "allot/remote/server_weights.h"
#include "allot/remote/watch.h"

namespace allot::remote {

// One request and what became of it.
struct Task {
  CompletionRequest request;
  std::vector<Rollout> rollouts;  // [request.n], without their content
  std::vector<bool> cancelled;    // [request.n]

  enum class End : std::uint8_t { Answered, Failed, Cancelled };
  End end = End::Failed;
  CompletionAnswer answer;
  std::uint64_t epoch = 0;        // ServerWeights::begin() of the answered request
  std::uint32_t repetitions = 0;  // so far

  // The pool's.
  bool unwanted = false;       // all of it is cancelled, or the pool is emptied
  std::uint64_t exchange = 0;  // of the watch; 0: not on the wire
  std::chrono::steady_clock::time_point not_before;
};
using TaskPtr = std::shared_ptr<Task>;

// What it took, since construction.
struct ServerStats {
  std::uint64_t requests = 0;                     // that came out
  std::uint64_t failed = 0;                       // of them
  std::map<std::string, std::uint64_t> repeated;  // repetitions by cause
  std::string last_trouble;                       // the newest cause with its details
};

class RequestPool {
 public:
  RequestPool(const ServerOptions& options, const std::string& api_key, ServerWeights& weights,
              Watch& watch);
  // Ends what is under way; waits for the threads.
  ~RequestPool();
  RequestPool(const RequestPool&) = delete;

  void add(TaskPtr task);

  // All that have come out, at least one; empty: none is open, or `stopped` said so. Throws
  // Error(Sampler) once give_up requests in a row have failed or the server denies access.
  std::vector<TaskPtr> take(const std::function<bool()>& stopped);

  // Marks rollouts of open tasks; those of tasks that have come out but were not taken, too.
  void cancel(const std::function<bool(RolloutId)>& named);
  // Forgets everything that is open.
  void clear();
  // Tasks that were taken have turned out to be good: failures are not in a row any more.
  void note_success();
  // A task that was taken goes back to be repeated, unless it was repeated often enough: then it
  // comes out as failed.
  void repeat(TaskPtr task, const std::string& cause, const std::string& details);

  std::size_t open() const;  // added and not taken
  Version oldest_open(Version none) const;
  ServerStats stats() const;

 private:
  using Time = std::chrono::steady_clock::time_point;
  using Lock = std::unique_lock<std::mutex>;

  void work();
  void serve(HttpChannel& channel, Task& task, Lock& lock);
  bool try_once(HttpChannel& channel, Task& task, Lock& lock);
  HttpAnswer exchange(HttpChannel& channel, Task& task, Lock& lock, const CompletionChecks& checks);
  bool judge(Task& task, Lock& lock, const HttpAnswer& answer, const CompletionChecks& checks);
  bool read(Task& task, Lock& lock, const HttpAnswer& answer, const CompletionChecks& checks);
  bool note_trouble(Task& task, const std::string& cause, const std::string& details);
  void restore(Task& task, Lock& lock, const std::string& details);
  void hold_back(Task& task, double retry_after_s);
  void pause(const Task& task, Lock& lock);
  bool is_over(const Task& task) const { return task.unwanted || broken_.has_value(); }
  void come_out(TaskPtr task);
  void break_off(const Error& error);

  const ServerOptions options_;
  const Dialect& dialect_;
  const std::string api_key_;
  ServerWeights& weights_;
  Watch& watch_;
  const std::string id_prefix_;  // of this pool's request ids
  const double timeout_s_;

  mutable std::mutex mutex_;
  std::condition_variable queued_, changed_, out_;  // a task to serve; ends of pauses; results
  std::deque<TaskPtr> queue_;
  std::set<TaskPtr> running_;
  std::vector<TaskPtr> out_tasks_;
  std::vector<std::thread> threads_;
  std::size_t idle_ = 0;
  std::uint64_t last_id_ = 0;
  Time not_before_;  // the server asked not to be asked earlier
  int failed_in_a_row_ = 0;
  std::optional<Error> broken_;
  bool closing_ = false;
  ServerStats stats_;
};

}  // namespace allot::remote
