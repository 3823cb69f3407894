// What the Controller takes from the heap once its buffers have grown: a bounded number of blocks
// per step, nothing per rollout. A host may report a hundred thousand outcomes one at a time.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "allot/core/controller.h"
#include "allot/core/random.h"
#include "allot/core/testing/allocations.h"
#include "allot/core/testing/outcome_stream.h"

namespace allot {
namespace {

using testing::counted;

constexpr std::uint32_t kPrompts = 512, kGroup = 8, kSteps = 12, kSettled = 6;
constexpr std::uint64_t kRollouts = std::uint64_t{kPrompts} * kGroup;

// The same number of rollouts for every prompt. Its own share of the count below is four blocks per
// step: the requests, and the items, groups and reports of the batch.
class Even : public Method {
 public:
  explicit Even(Grain grain) : grain_(grain) {}
  Needs needs() const override { return {.grain = grain_}; }
  Decision plan(const BatchView& view) override {
    finished_.clear();
    asked_ = view.candidates.size() * kGroup;
    Decision decision;
    decision.generate.reserve(view.candidates.size());
    for (const PromptRef& prompt : view.candidates)
      decision.generate.push_back({prompt.id, kGroup});
    return decision;
  }
  Decision observe(const Events& events) override {
    finished_.insert(finished_.end(), events.outcomes.begin(), events.outcomes.end());
    return {.done = finished_.size() == asked_};
  }
  TrainBatch finalize() override {
    std::sort(finished_.begin(), finished_.end(),
              [](const Outcome& a, const Outcome& b) { return a.id < b.id; });
    const std::size_t groups = finished_.size() / kGroup;
    TrainBatch batch;
    batch.items.reserve(finished_.size());
    batch.groups.reserve(groups);
    batch.reports.reserve(groups);
    for (const Outcome& outcome : finished_)
      batch.items.push_back({outcome.id, outcome.reward - 0.5f});
    for (std::uint32_t first = 0; first < finished_.size(); first += kGroup) {
      batch.groups.push_back({finished_[first].prompt, first, kGroup, kGroup, 0.5f});
      batch.reports.push_back(
          {.prompt = finished_[first].prompt, .admitted = true, .shipped = kGroup});
    }
    return batch;
  }

 private:
  Grain grain_;
  std::size_t asked_ = 0;
  std::vector<Outcome> finished_;
};

enum class Reports { AllAtOnce, OneByOne };

// Blocks taken inside each verb of one step; the host's own are left out.
struct Taken {
  std::uint64_t plan = 0, observe = 0, finalize = 0, feedback = 0;
  std::uint64_t all() const { return plan + observe + finalize + feedback; }
};

class Host {
 public:
  Host(Grain grain, Reports reports)
      : controller_(std::make_unique<Even>(grain), {.method = "even_with_a_name_that_is_not_short",
                                                    .host = testing::serves_everything()}),
        reports_(reports) {}

  Taken step() {
    Taken taken;
    // Two sets of prompts in turn: all are known after two steps.
    std::vector<PromptRef> prompts;
    for (PromptId id = 1; id <= kPrompts; ++id) prompts.push_back({id * 2 + step_ % 2});
    const Budget budget{.groups = kPrompts, .rollouts = kRollouts, .max_tokens = 100};
    const Plan plan =
        counted(taken.plan, [&] { return controller_.plan(prompts, budget, policy_); });
    observe(outcomes(plan), taken);
    const TrainBatch batch = counted(taken.finalize, [&] { return controller_.finalize(); });
    EXPECT_EQ(batch.items.size(), kRollouts);
    Feedback feedback{.step = step_, .before = policy_, .after = policy_ + 1, .updated = true};
    for (const TrainItem& item : batch.items) feedback.items.push_back({item.rollout});
    counted(taken.feedback, [&] { return controller_.feedback(feedback), 0; });
    ++policy_;
    ++step_;
    return taken;
  }

 private:
  // In a random order, with some truncated and answers as large as hashes.
  std::vector<Outcome> outcomes(const Plan& plan) const {
    std::vector<Outcome> all;
    for (const Issued& issued : plan.generate)
      for (std::uint32_t i = 0; i < issued.n; ++i) {
        const bool right = i % 3 == 0;
        all.push_back({.id = issued.first + i,
                       .prompt = issued.prompt,
                       .behaviour = policy_,
                       .status = i == 7 ? Status::Truncated : Status::Ok,
                       .reward = right ? 1.0f : 0.0f,
                       .correct = right,
                       .tokens = 10 + i,
                       .answer_class = (std::int64_t{1} << 40) + i % 4});
      }
    RandomStream({5, RandomUse::Test, step_, 0, 0}).shuffle(std::span(all));
    return all;
  }

  void observe(const std::vector<Outcome>& outcomes, Taken& taken) {
    const std::size_t n = reports_ == Reports::AllAtOnce ? outcomes.size() : 1;
    for (std::size_t i = 0; i < outcomes.size(); i += n) {
      const Plan plan = counted(
          taken.observe, [&] { return controller_.observe(std::span(outcomes).subspan(i, n)); });
      EXPECT_EQ(plan.done, i + n == outcomes.size());
    }
  }

  Controller controller_;
  Reports reports_;
  std::uint64_t step_ = 0;
  Version policy_ = 0;
};

using Case = std::tuple<Grain, Reports>;
class ControllerAllocations : public ::testing::TestWithParam<Case> {};

std::string case_name(const ::testing::TestParamInfo<Case>& info) {
  const auto [grain, reports] = info.param;
  return std::string(name(grain)) + (reports == Reports::AllAtOnce ? "_at_once" : "_one_by_one");
}

TEST_P(ControllerAllocations, NonePerRollout) {
  if (!testing::counts_allocations()) GTEST_SKIP() << "a sanitizer replaces operator new";
  const auto [grain, reports] = GetParam();
  Host host(grain, reports);
  Taken sum;
  for (std::uint32_t step = 0; step < kSteps; ++step) {
    const Taken taken = host.step();
    if (step < kSettled) continue;
    EXPECT_EQ(taken.observe, 0u) << "in step " << step;
    sum.plan += taken.plan;
    sum.observe += taken.observe;
    sum.finalize += taken.finalize;
    sum.feedback += taken.feedback;
  }
  const double rollouts = static_cast<double>(kRollouts) * (kSteps - kSettled);
  EXPECT_LT(static_cast<double>(sum.all()) / rollouts, 0.02)
      << "blocks in plan " << sum.plan << ", observe " << sum.observe << ", finalize "
      << sum.finalize << ", feedback " << sum.feedback << " for " << rollouts << " rollouts";
}

INSTANTIATE_TEST_SUITE_P(
    Grains, ControllerAllocations,
    ::testing::Combine(::testing::Values(Grain::Round, Grain::Request, Grain::Rollout),
                       ::testing::Values(Reports::AllAtOnce, Reports::OneByOne)),
    case_name);

}  // namespace
}  // namespace allot
