// CoBA through the Controller: what it measures, and what it may spend.
#include <gtest/gtest.h>

#include "allot/core/error.h"
#include "allot/methods/testing/script.h"

namespace allot {
namespace {

using testing::budget_of;
using testing::controller_of;
using testing::play;
using testing::Played;
using testing::verdicts;

std::map<PromptId, std::vector<Outcome>> all(const std::vector<PromptId>& ids, std::uint32_t right,
                                             std::uint32_t wrong) {
  std::map<PromptId, std::vector<Outcome>> out;
  for (const PromptId id : ids) out[id] = verdicts(right, wrong);
  return out;
}

TEST(Coba, FirstVisitIsUniformAndSetsTheFailureRate) {
  Controller controller = controller_of("coba");
  const std::vector<PromptId> ids = {1, 2, 3, 4};
  auto outcomes = all(ids, 2, 6);
  outcomes[4] = verdicts(8, 0);
  const Played first = play(controller, {ids, {}, outcomes}, budget_of(4, 32));
  for (const PromptId id : ids) EXPECT_EQ(first.requested(id), 8u);
  const double failure = 1 - (3 * .25 + 1) / 4;
  EXPECT_NEAR(first.metrics.at("alloc/coba/F"), failure, 1e-12);
  EXPECT_EQ(first.metrics.count("alloc/coba/a"), 0u);
  EXPECT_EQ(first.batch.norm, Norm::PerGroup);

  const Played second = play(controller, {ids, {}, all(ids, 20, 20)}, budget_of(4, 32), 1);
  EXPECT_NEAR(second.metrics.at("alloc/coba/F_bar"), failure, 1e-12);
  EXPECT_NEAR(second.metrics.at("alloc/coba/a"), 1.5 + 8 * failure, 1e-12);
  EXPECT_EQ(second.requested(4), 2u);  // solved
  EXPECT_EQ(second.requested(1) + second.requested(2) + second.requested(3), 30u);
  EXPECT_NEAR(second.metrics.at("alloc/coba/n_mean_20"), 10, 1e-12);
  EXPECT_EQ(second.metrics.at("alloc/coba/n_mean_80"), 2);

  // F averages over the last ten steps.
  const Played third = play(controller, {ids, {}, all(ids, 20, 20)}, budget_of(4, 32), 2);
  EXPECT_NEAR(third.metrics.at("alloc/coba/F_bar"),
              (failure + second.metrics.at("alloc/coba/F")) / 2, 1e-12);
}

TEST(Coba, AWeakPolicyPrefersEasyPromptsAStrongOneHardPrompts) {
  for (const bool weak : {true, false}) {
    Controller controller = controller_of("coba");
    // Prompts 1 and 2 have pass rates .25 and .75; the others make the policy weak or strong.
    const std::vector<PromptId> ids = {1, 2, 3, 4, 5, 6};
    auto outcomes = weak ? all(ids, 0, 8) : all(ids, 8, 0);
    outcomes[1] = verdicts(2, 6), outcomes[2] = verdicts(6, 2);
    play(controller, {ids, {}, outcomes}, budget_of(6, 48));
    const Played p = play(controller, {ids, {}, all(ids, 30, 30)}, budget_of(6, 48), 1);
    EXPECT_EQ(p.requested(2) > p.requested(1), weak);
    EXPECT_EQ(p.requested(3), 2u);
  }
}

TEST(Coba, SmoothingFreesPromptsFromZeroAndOne) {
  for (const bool smooth : {false, true}) {
    Controller controller = controller_of(
        "coba", {{"alloc.coba.smoothing", smooth ? "1" : "0"}, {"alloc.coba.tau", "0.2"}});
    play(controller, {{1, 2}, {}, {{1, verdicts(1, 1)}, {2, verdicts(2, 0)}}}, budget_of(2, 4));
    const Played p = play(controller, {{1, 2}, {}, all({1, 2}, 20, 20)}, budget_of(2, 16), 1);
    EXPECT_EQ(p.requested(2) > 2, smooth);
    EXPECT_EQ(p.requested(1) + p.requested(2), 16u);
  }
}

TEST(Coba, SumIsTheHardBudget) {
  Controller controller = controller_of("coba");
  Budget budget = budget_of(3, 400);
  for (const std::uint64_t hard : {24u, 390u, 50u, 7u, 6u, 5u, 2u, 1u, 0u}) {
    budget.hard_rollouts = hard;
    const Played p =
        play(controller, {{1, 2, 3}, {}, all({1, 2, 3}, 100, 100)}, budget, controller.step() > 0);
    std::uint64_t sum = 0;
    for (const PromptId id : {1, 2, 3}) sum += p.requested(id);
    EXPECT_EQ(sum, hard == 1 ? 0 : hard);
    // 390 is more than three times the default most of 128.
    EXPECT_EQ(p.metrics.at("alloc/coba/relaxed"), hard == 390 || hard < 6);
  }
}

TEST(Coba, RefusesShapesWithoutADensity) {
  EXPECT_THROW(controller_of("coba", {{"alloc.coba.a_max", "11"}}), Error);
  EXPECT_THROW(controller_of("coba", {{"alloc.coba.a_min", "9.6"}}), Error);
  EXPECT_THROW(controller_of("coba", {{"alloc.coba.least", "129"}}), Error);
}

}  // namespace
}  // namespace allot
