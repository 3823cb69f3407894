// A few threads that work on one thing together: all run the same function, each on its share, and
// meet at barriers between the parts.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

namespace allot::lm {

// Meeting point of `count` threads. Who waits spins for some microseconds, then sleeps.
class Barrier {
 public:
  explicit Barrier(int count) : count_(count) {}
  void wait();

 private:
  const int count_;
  std::atomic<int> arrived_{0};
  std::atomic<std::uint32_t> round_{0};
};

// One of a team's threads, for the function it runs. The default is a team of one.
struct TeamMember {
  int index = 0, count = 1;
  Barrier* barrier = nullptr;

  // Returns when all members have come here; what they wrote before is then seen by all.
  void sync() const {
    if (count > 1) barrier->wait();
  }
  // This member's part of [0, n): contiguous, nearly equal.
  int begin(int n) const { return static_cast<int>(std::int64_t{n} * index / count); }
  int end(int n) const { return static_cast<int>(std::int64_t{n} * (index + 1) / count); }
};

// The thread that calls run() is member 0; the others wait between the calls. Not for several
// threads at once.
class Team {
 public:
  explicit Team(int members);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  int size() const { return size_; }
  // Runs work(member) on all members. `work` must not throw.
  void run(const std::function<void(const TeamMember&)>& work);

 private:
  void serve(int index);

  const int size_;
  Barrier barrier_;
  const std::function<void(const TeamMember&)>* work_ = nullptr;  // null: the team ends
  std::vector<std::jthread> threads_;
};

}  // namespace allot::lm
