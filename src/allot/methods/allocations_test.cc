// What the methods take from the heap in the steady state, when their storage has grown: a bounded
// number of blocks per step, next to nothing per rollout. `bench/decide` prints the same.
#include "allot/core/testing/allocations.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "allot/core/testing/outcome_stream.h"
#include "allot/methods/registry.h"
#include "allot/methods/testing/script.h"

namespace allot {
namespace {

using testing::counted;

constexpr std::uint32_t kGroups = 1024, kGroupSize = 8, kSteps = 16, kSettled = 12;

// Passes everything on and counts the blocks taken meanwhile, the host's and the Controller's not.
// A decision after an event hands out lists, which a method at Grain::Rollout makes one by one: of
// each of them one block is not counted.
class Counting : public Method {
 public:
  Counting(std::unique_ptr<Method> method, std::uint64_t& blocks)
      : method_(std::move(method)), blocks_(blocks) {}

  Needs needs() const override { return method_->needs(); }
  Decision plan(const BatchView& view) override {
    return counted(blocks_, [&] { return method_->plan(view); });
  }
  Decision observe(const Events& events) override {
    Decision decision = counted(blocks_, [&] { return method_->observe(events); });
    blocks_ -= !decision.generate.empty() + !decision.cancel.empty();  // those are the caller's
    return decision;
  }
  TrainBatch finalize() override {
    return counted(blocks_, [&] { return method_->finalize(); });
  }
  void feedback(const Feedback& feedback) override {
    counted(blocks_, [&] { return method_->feedback(feedback), 0; });
  }

 private:
  std::unique_ptr<Method> method_;
  std::uint64_t& blocks_;
};

class MethodAllocations : public ::testing::TestWithParam<std::string> {};

TEST_P(MethodAllocations, NextToNonePerRollout) {
  if (!testing::counts_allocations()) GTEST_SKIP() << "a sanitizer replaces operator new";
  std::uint64_t blocks = 0;
  Controller controller(
      std::make_unique<Counting>(make_method(testing::alloc_options(GetParam()), {}), blocks),
      {.method = GetParam(), .host = testing::serves_everything()});
  testing::StreamWorld world({.seed = 5, .prompts = 2 * kGroups});
  Budget budget = testing::budget_of(kGroups, kGroups * kGroupSize);
  budget.max_tokens = world.settings().max_tokens;
  std::uint64_t rollouts = 0;
  for (std::uint32_t step = 0; step < kSteps; ++step) {
    if (step == kSettled) blocks = rollouts = 0;
    rollouts += drive_step(controller, world, budget).reported.size();
  }
  ASSERT_GT(rollouts, kGroups * (kSteps - kSettled));
  EXPECT_LT(static_cast<double>(blocks) / static_cast<double>(rollouts), 0.05)
      << blocks << " blocks for " << rollouts << " rollouts";
}

INSTANTIATE_TEST_SUITE_P(All, MethodAllocations, ::testing::ValuesIn(method_names()),
                         [](const auto& info) { return info.param; });

constexpr std::uint32_t kFewGroups = 64;

// Allocations of the fourth step of a method that asks n rollouts of every prompt.
std::uint64_t allocations_of_a_step(const std::string& name, std::uint32_t n) {
  const auto method = make_method(
      testing::alloc_options(
          name, {{"alloc.group_size", std::to_string(n)}, {"alloc.refill.keep_surplus", "false"}}),
      {});
  std::vector<PromptRef> shown;
  for (PromptId id = 1; id <= 16 * kFewGroups; ++id) shown.push_back({id});
  std::uint64_t before = 0;
  for (std::uint64_t step = 0; step < 4; ++step) {
    const Budget budget = testing::budget_of(kFewGroups, std::uint64_t{n} * kFewGroups);
    before = testing::allocations();
    const Decision decision = method->plan({.step = step, .candidates = shown, .budget = budget});
    const std::uint64_t planning = testing::allocations() - before;
    std::vector<Outcome> outcomes;
    for (const GenRequest& request : decision.generate)
      for (Outcome outcome : testing::verdicts(request.n / 2, request.n - request.n / 2)) {
        outcome.prompt = request.prompt;
        outcome.id = outcomes.size() + 1;
        outcomes.push_back(outcome);
      }
    EXPECT_GE(outcomes.size(), std::size_t{n} * kFewGroups) << name;
    before = testing::allocations();
    method->observe({.outcomes = outcomes, .left = budget});
    const TrainBatch batch = method->finalize();
    before = testing::allocations() - before + planning;
    EXPECT_EQ(batch.items.size(), std::size_t{n} * kFewGroups) << name;
    Feedback feedback;
    feedback.step = step;
    method->feedback(feedback);
  }
  return before;
}

TEST(AllocationsOfAStep, DoNotGrowWithTheRollouts) {
  if (!testing::counts_allocations()) GTEST_SKIP() << "a sanitizer replaces operator new";
  for (const char* name : {"mopps", "greso"}) {
    const std::uint64_t few = allocations_of_a_step(name, 8),
                        many = allocations_of_a_step(name, 64);
    const double rollouts = 56.0 * kFewGroups;
    EXPECT_LT((static_cast<double>(many) - static_cast<double>(few)) / rollouts, .01)
        << name << ": " << few << " and " << many;
  }
}

}  // namespace
}  // namespace allot
