// Deciding allocates memory per prompt, not per rollout.
#include <atomic>
#include <cstdlib>
#include <memory>
#include <new>

#include <gtest/gtest.h>

#include "allot/methods/testing/script.h"

namespace {

std::atomic<std::uint64_t> allocations{0};

}  // namespace

// Of the whole test program; the other forms come down to these.
void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size ? size : 1)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace allot {
namespace {

using testing::alloc_options;
using testing::budget_of;
using testing::verdicts;

constexpr std::uint32_t kGroups = 64;

// Allocations of the fourth step of a method that asks n rollouts of every prompt.
std::uint64_t allocations_of_a_step(const std::string& name, std::uint32_t n) {
  const auto method = make_method(alloc_options(name, {{"alloc.group_size", std::to_string(n)},
                                                       {"alloc.refill.keep_surplus", "false"}}),
                                  {});
  std::vector<PromptRef> shown;
  for (PromptId id = 1; id <= 16 * kGroups; ++id) shown.push_back({id});
  std::uint64_t before = 0;
  for (std::uint64_t step = 0; step < 4; ++step) {
    const Budget budget = budget_of(kGroups, std::uint64_t{n} * kGroups);
    before = allocations;
    const Decision decision = method->plan({.step = step, .candidates = shown, .budget = budget});
    const std::uint64_t planning = allocations - before;
    std::vector<Outcome> outcomes;
    for (const GenRequest& request : decision.generate)
      for (Outcome outcome : verdicts(request.n / 2, request.n - request.n / 2)) {
        outcome.prompt = request.prompt;
        outcome.id = outcomes.size() + 1;
        outcomes.push_back(outcome);
      }
    EXPECT_GE(outcomes.size(), std::size_t{n} * kGroups) << name;
    before = allocations;
    method->observe({.outcomes = outcomes, .left = budget});
    const TrainBatch batch = method->finalize();
    before = allocations - before + planning;
    EXPECT_EQ(batch.items.size(), std::size_t{n} * kGroups) << name;
    Feedback feedback;
    feedback.step = step;
    method->feedback(feedback);
  }
  return before;
}

TEST(Allocations, DoNotGrowWithTheRollouts) {
  for (const char* name : {"mopps", "greso"}) {
    const std::uint64_t few = allocations_of_a_step(name, 8),
                        many = allocations_of_a_step(name, 64);
    const double rollouts = 56.0 * kGroups;
    EXPECT_LT((static_cast<double>(many) - static_cast<double>(few)) / rollouts, .01)
        << name << ": " << few << " and " << many;
  }
}

}  // namespace
}  // namespace allot
