// Worker threads that call reward functions, and give up on calls that never come back.
//
// A thread cannot be ended from outside. A call that takes longer than the time limit is therefore
// left to itself: its worker is given up and another one takes its place, and whatever the call
// returns later is thrown away. Calls own what they read (a shared batch), so that a late one reads
// nothing that is gone. Answers come in the order of the calls, whatever order they end in.
// Source: conventions, section 7.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "allot/loop/verifier.h"

namespace allot {

// Must own, or share, everything it uses.
using RewardCall = std::function<std::vector<Score>()>;

struct RewardAnswer {
  std::vector<Score> scores;  // what the call returned
  std::string failure;        // "": it returned; else what it threw, or that it timed out
};

// One run() at a time. The destructor waits for calls that are within their time, not for those
// given up.
class RewardWorkers {
 public:
  // `timeout_s` 0: calls may take as long as they like.
  RewardWorkers(int workers, double timeout_s);
  ~RewardWorkers();
  RewardWorkers(const RewardWorkers&) = delete;
  RewardWorkers& operator=(const RewardWorkers&) = delete;

  // Every call once. A RewardMistake that one of them throws passes through when all have ended.
  std::vector<RewardAnswer> run(std::vector<RewardCall> calls);

  // Workers given up so far; each may still hold a thread.
  int given_up() const { return given_up_; }

 private:
  struct Shared;
  struct Worker;

  static void work(Shared& shared, Worker& self);
  void start_worker();
  void give_up_on_late_calls();

  double timeout_s_;
  int given_up_ = 0;
  std::shared_ptr<Shared> shared_;
  std::vector<std::shared_ptr<Worker>> workers_;
};

}  // namespace allot
