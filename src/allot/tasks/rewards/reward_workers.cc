#include "allot/tasks/rewards/reward_workers.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "allot/core/error.h"

namespace allot {
namespace {

using SteadyClock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

// The calls of one run().
struct Round {
  std::vector<RewardCall> calls;
  std::vector<RewardAnswer> answers;
  std::exception_ptr mistake;
  std::size_t next = 0, ended = 0;
};

struct Returned {
  RewardAnswer answer;
  std::exception_ptr mistake;
};

Returned result_of(const RewardCall& call) {
  Returned out;
  try {
    out.answer.scores = call();
  } catch (const RewardMistake&) {
    out.mistake = std::current_exception();
  } catch (const std::exception& error) {
    out.answer.failure = concat("it raised: ", error.what());
  } catch (...) {
    out.answer.failure = "it threw something that is no std::exception";
  }
  return out;
}

}  // namespace

// What run() and the workers have in common; all of it under `mutex`.
struct RewardWorkers::Shared {
  std::mutex mutex;
  std::condition_variable work_came, call_ended;
  std::shared_ptr<Round> round;
  bool closed = false;
};

struct RewardWorkers::Worker {
  std::thread thread;
  bool given_up = false;
  std::optional<std::size_t> call;  // that it is in, since when
  SteadyClock::time_point since;
};

RewardWorkers::RewardWorkers(int workers, double timeout_s)
    : timeout_s_(timeout_s), shared_(std::make_shared<Shared>()) {
  for (int i = 0; i < std::max(1, workers); ++i) start_worker();
}

RewardWorkers::~RewardWorkers() {
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->closed = true;
  }
  shared_->work_came.notify_all();
  for (const auto& worker : workers_) worker->thread.join();
}

void RewardWorkers::start_worker() {
  auto worker = std::make_shared<Worker>();
  // Both are kept alive by the thread itself, which may outlive the pool.
  worker->thread = std::thread([shared = shared_, worker] { work(*shared, *worker); });
  workers_.push_back(std::move(worker));
}

void RewardWorkers::work(Shared& shared, Worker& self) {
  std::unique_lock lock(shared.mutex);
  while (true) {
    shared.work_came.wait(lock, [&] {
      return shared.closed || (shared.round && shared.round->next < shared.round->calls.size());
    });
    if (shared.closed) return;
    const std::shared_ptr<Round> round = shared.round;
    const std::size_t call = round->next++;
    self.call = call;
    self.since = SteadyClock::now();
    lock.unlock();
    Returned returned = result_of(round->calls[call]);
    lock.lock();
    if (self.given_up) return;
    self.call.reset();
    round->answers[call] = std::move(returned.answer);
    if (returned.mistake && !round->mistake) round->mistake = returned.mistake;
    ++round->ended;
    shared.call_ended.notify_one();
  }
}

std::vector<RewardAnswer> RewardWorkers::run(std::vector<RewardCall> calls) {
  const auto round = std::make_shared<Round>();
  round->answers.resize(calls.size());
  round->calls = std::move(calls);
  std::unique_lock lock(shared_->mutex);
  shared_->round = round;
  shared_->work_came.notify_all();
  while (round->ended < round->calls.size()) {
    if (timeout_s_ <= 0) {
      shared_->call_ended.wait(lock);
      continue;
    }
    SteadyClock::time_point first_since = SteadyClock::now();
    for (const auto& worker : workers_)
      if (worker->call) first_since = std::min(first_since, worker->since);
    const auto limit = std::chrono::duration_cast<SteadyClock::duration>(Seconds(timeout_s_));
    shared_->call_ended.wait_until(lock, first_since + limit);
    give_up_on_late_calls();
  }
  shared_->round.reset();
  if (round->mistake) std::rethrow_exception(round->mistake);
  return std::move(round->answers);
}

// With the lock held.
void RewardWorkers::give_up_on_late_calls() {
  const auto now = SteadyClock::now();
  std::size_t late = 0;
  for (const auto& worker : workers_) {
    if (!worker->call || Seconds(now - worker->since).count() < timeout_s_) continue;
    Round& round = *shared_->round;
    round.answers[*worker->call].failure =
        concat("it took longer than reward.timeout_s (", timeout_s_, " s) and was given up");
    ++round.ended;
    worker->given_up = true;
    worker->thread.detach();
    ++late;
  }
  std::erase_if(workers_, [](const auto& worker) { return worker->given_up; });
  for (; late > 0; --late, ++given_up_) start_worker();
}

}  // namespace allot
