// Golden cases of DAPO: refill, the batch cap, exhaustion, surplus, the overlong term (acceptance
// tests of the method's specification).
#include <cmath>

#include <gtest/gtest.h>

#include "allot/core/error.h"
#include "allot/core/testing/outcome_stream.h"
#include "allot/methods/parts/overlong.h"
#include "allot/methods/parts/refill.h"
#include "allot/methods/testing/script.h"

namespace allot {
namespace {

using testing::budget_of;
using testing::controller_of;
using testing::ids;
using testing::play;
using testing::Played;
using testing::rewards;
using testing::Script;
using testing::verdicts;

std::uint32_t prompts_in(const Plan& plan) {
  return static_cast<std::uint32_t>(plan.generate.size());
}

std::vector<PromptId> shipped_prompts(const TrainBatch& batch) {
  std::vector<PromptId> out;
  for (const TrainGroup& group : batch.groups) out.push_back(group.prompt);
  return out;
}

TEST(Dapo, TwoDrawsFillThePaperBatch) {
  // 1536 prompts of which 307 are mixed; then one prompt in five is.
  Script script;
  script.candidates = ids(1, 1536);
  script.further = ids(2001, 4000);
  for (const PromptId id : script.candidates)
    script.outcomes[id] = id <= 307 ? verdicts(8, 8) : verdicts(0, 16);
  for (const PromptId id : script.further)
    script.outcomes[id] = id % 5 == 1 ? verdicts(8, 8) : verdicts(0, 16);
  Controller controller =
      controller_of("dapo", {{"alloc.group_size", "16"}, {"alloc.dapo.candidates_per_group", "3"}});
  const Played p = play(controller, script, budget_of(512, 8192));
  EXPECT_EQ(p.metrics.at("alloc/dapo/draws"), 2);
  EXPECT_EQ(prompts_in(p.plans[0]), 1536u);
  EXPECT_EQ(p.plans[1].refill, 1283u);
  EXPECT_EQ(p.batch.groups.size(), 512u);
  // 1283 further prompts hold 257 mixed ones: 564 in all.
  EXPECT_EQ(p.metrics.at("alloc/dapo/surplus_left"), 307 + 257 - 512);
  EXPECT_EQ(p.batch.hold.size(), (307 + 257 - 512) * 16u);
  EXPECT_EQ(p.metrics.at("alloc/dapo/degraded"), 0);
  EXPECT_EQ(p.batch.norm, Norm::PerToken);
}

TEST(Dapo, RefillSize) {
  const auto size = [](std::uint32_t have, std::uint32_t accepted, std::uint32_t seen) {
    return draw_size({512, have, accepted, seen, 3});
  };
  EXPECT_EQ(size(307, 307, 1536), 1283u);
  EXPECT_EQ(size(0, 0, 0), 1536u);        // first draw
  EXPECT_EQ(size(512, 512, 1536), 0u);    // full
  EXPECT_EQ(size(511, 511, 600), 8u);     // never fewer than eight
  EXPECT_EQ(size(0, 0, 1536), 1536u);     // nothing mixed yet: the largest draw
  EXPECT_EQ(size(412, 10, 1000), 1536u);  // a share of 1 % counts as 5 %: 2500, cut to the largest
  EXPECT_EQ(size(492, 10, 1000), 500u);
}

TEST(Dapo, ShareOfMixedGroups) {
  const auto mixed = [](double p, int n) { return 1 - std::pow(p, n) - std::pow(1 - p, n); };
  EXPECT_NEAR(mixed(.03, 16), .3857, 5e-5);
  EXPECT_NEAR(mixed(.1, 16), .8147, 5e-5);
  EXPECT_NEAR(mixed(.3, 16), .9967, 5e-5);
  // Through the method: the share of admitted groups, weighted over all counts, is the formula.
  for (const auto& [p, wanted, draws] : std::vector<std::tuple<double, double, double>>{
           {.03, .2163, 4.62}, {.1, .5695, 1.76}, {.3, .9423, 1.06}}) {
    double share = 0;
    for (std::uint32_t right = 0; right <= 8; ++right) {
      const double ways = std::tgamma(9) / std::tgamma(right + 1.0) / std::tgamma(9.0 - right);
      Controller controller = controller_of("dapo", {{"alloc.refill.keep_surplus", "false"}});
      const Played played =
          play(controller, {{1}, {}, {{1, verdicts(right, 8 - right)}}}, budget_of(1, 8));
      if (played.report(1).admitted)
        share += ways * std::pow(p, right) * std::pow(1 - p, 8.0 - right);
    }
    EXPECT_NEAR(share, wanted, 5e-5);
    EXPECT_NEAR(share, mixed(p, 8), 1e-12);
    EXPECT_NEAR(1 / share, draws, 5e-3);
  }
}

TEST(Dapo, NothingMixedEndsAtTheCap) {
  Script script;
  script.candidates = ids(1, 8);
  script.further = ids(9, 500);
  for (PromptId id = 1; id <= 500; ++id)
    script.outcomes[id] = verdicts(id % 2 ? 8 : 0, id % 2 ? 0 : 8);
  Controller controller = controller_of("dapo", {{"alloc.refill.max_rounds", "3"}});
  const Played p = play(controller, script, budget_of(4, 32));
  EXPECT_EQ(p.metrics.at("alloc/dapo/draws"), 3);
  EXPECT_EQ(p.metrics.at("alloc/dapo/degraded"), 1);
  EXPECT_TRUE(p.batch.items.empty());
  EXPECT_EQ(p.batch.reports.size(), 24u);  // 8 each: all planned, none admitted
  EXPECT_EQ(p.metrics.at("rollouts/generated"), 24 * 8);
  EXPECT_EQ(p.metrics.at("rollouts/discarded"), 24 * 8);
  EXPECT_EQ(controller.record(1)->last_cause, ZeroCause::AllRight);
  EXPECT_EQ(controller.record(2)->last_cause, ZeroCause::AllWrong);
  EXPECT_EQ(controller.record(24)->trials, 8);
}

TEST(Dapo, ExhaustedSourceTrainsOnWhatIsKept) {
  Script script;  // one and a half draws: 8 shown, of the further 8 only 4 exist
  script.candidates = ids(1, 8);
  script.further = ids(9, 12);
  for (PromptId id = 1; id <= 12; ++id)
    script.outcomes[id] = id % 4 ? verdicts(0, 8) : verdicts(3, 5);
  Controller controller = controller_of("dapo");
  const Played p = play(controller, script, budget_of(4, 32));
  EXPECT_EQ(shipped_prompts(p.batch), (std::vector<PromptId>{4, 8, 12}));
  EXPECT_EQ(p.metrics.at("alloc/dapo/degraded"), 1);
}

TEST(Dapo, ShipsInPromptOrderWhateverFinishesFirst) {
  for (const std::uint64_t arrival : {1u, 2u, 3u}) {
    testing::StreamWorld world({.seed = 5,
                                .prompts = 200,
                                .pass_rate = [](PromptId) { return .3; },
                                .arrival_seed = arrival,
                                .arrivals_per_call = 3});
    Controller controller = controller_of("dapo");
    const testing::DrivenStep step = drive_step(controller, world, budget_of(16, 128));
    std::vector<PromptId> order;
    for (const Plan& plan : step.plans)
      for (const Issued& issued : plan.generate) order.push_back(issued.prompt);
    const auto shipped = shipped_prompts(step.batch);
    ASSERT_EQ(shipped.size(), 16u);
    auto next = order.begin();
    for (const PromptId prompt : shipped) {
      next = std::find(next, order.end(), prompt);
      ASSERT_NE(next, order.end());
    }
  }
}

class DapoSurplus : public ::testing::Test {
 protected:
  // Four mixed groups for a batch of two: two are left over.
  Played first(Controller& controller) {
    Script script{ids(1, 4), {}, {}};
    for (PromptId id = 1; id <= 4; ++id) script.outcomes[id] = verdicts(2, 2);
    return play(controller, script, budget_of(2, 8), 0);
  }
  Controller controller_ = controller_of("dapo", {{"alloc.group_size", "4"}});
};

TEST_F(DapoSurplus, IsHeldAndStartsTheNextStep) {
  const Played one = first(controller_);
  EXPECT_EQ(shipped_prompts(one.batch), (std::vector<PromptId>{1, 2}));
  EXPECT_EQ(one.batch.hold.size(), 8u);
  EXPECT_TRUE(one.report(3).cause == ZeroCause::None && !one.report(3).admitted);
  for (const TrainItem& item : one.batch.items) EXPECT_EQ(item.anchor, Anchor::StepStart);

  // Enough is left: nothing is generated, the held groups are trained on against their own policy.
  const Played two = play(controller_, {ids(11, 14), {}, {}}, budget_of(2, 8), 1);
  EXPECT_TRUE(two.plans[0].generate.empty());
  EXPECT_TRUE(two.plans[0].done);
  EXPECT_EQ(shipped_prompts(two.batch), (std::vector<PromptId>{3, 4}));
  ASSERT_EQ(two.batch.items.size(), 8u);
  for (std::size_t i = 0; i < 8; ++i) {
    EXPECT_EQ(two.batch.items[i].rollout, one.batch.hold[i]);
    EXPECT_EQ(two.batch.items[i].anchor, Anchor::Behaviour);
    EXPECT_NEAR(std::abs(two.batch.items[i].advantage), .865875, 1e-6);
  }
  EXPECT_EQ(two.batch.release, one.batch.hold);
  EXPECT_EQ(two.metrics.at("alloc/dapo/surplus_used"), 2);
}

TEST_F(DapoSurplus, DrawsOnlyForWhatIsMissing) {
  first(controller_);
  Script script{ids(11, 40), {}, {}};  // more than is needed is shown
  for (PromptId id = 11; id <= 40; ++id) script.outcomes[id] = verdicts(1, 3);
  const Played two = play(controller_, script, budget_of(20, 80), 1);
  // 18 missing at the share of one half that two candidates per group stand for: 1.25 * 18 / .5 =
  // 45, cut to the largest draw 40; 30 are shown and the rest is wished for.
  EXPECT_EQ(prompts_in(two.plans[0]), 30u);
  EXPECT_EQ(two.plans[0].refill, 10u);
  EXPECT_EQ(two.batch.groups.size(), 20u);
  EXPECT_EQ(two.batch.groups[0].prompt, 3u);
  EXPECT_EQ(two.batch.groups[2].prompt, 11u);
}

TEST_F(DapoSurplus, OneMissingGroupDrawsEight) {
  first(controller_);
  Script script{ids(11, 40), {}, {}};
  for (PromptId id = 11; id <= 40; ++id) script.outcomes[id] = verdicts(1, 3);
  const Played two = play(controller_, script, budget_of(3, 12), 1);
  EXPECT_EQ(prompts_in(two.plans[0]), 8u);
  EXPECT_EQ(two.plans[0].refill, 0u);
}

TEST_F(DapoSurplus, ExpiresAfterMaxAge) {
  const Played one = first(controller_);
  Script script{ids(11, 14), {}, {}};
  for (PromptId id = 11; id <= 14; ++id) script.outcomes[id] = verdicts(0, 4);
  const Played two = play(controller_, script, budget_of(2, 8), 2);  // two updates later
  EXPECT_TRUE(two.batch.items.empty());
  EXPECT_EQ(two.batch.release, one.batch.hold);
  EXPECT_EQ(two.metrics.at("alloc/dapo/surplus_expired"), 2);
}

TEST_F(DapoSurplus, LostGroupsAreForgotten) {
  const Played one = first(controller_);
  const std::vector<RolloutId> lost = {one.batch.hold[1]};  // of prompt 3
  const std::vector<PromptRef> shown = {{11}};
  const Plan plan = controller_.plan(shown, budget_of(1, 4), 1, lost);
  EXPECT_TRUE(plan.done);
  const TrainBatch batch = controller_.finalize();
  EXPECT_EQ(shipped_prompts(batch), std::vector<PromptId>{4});
  EXPECT_EQ(batch.release.size(), 3u + 4u);
}

TEST_F(DapoSurplus, IsDiscardedOnRequest) {
  Controller controller =
      controller_of("dapo", {{"alloc.group_size", "4"}, {"alloc.refill.keep_surplus", "false"}});
  EXPECT_FALSE(controller.needs().hold);
  const Played one = first(controller);
  EXPECT_TRUE(one.batch.hold.empty());
  EXPECT_EQ(one.metrics.at("rollouts/discarded"), 8);
  const Played two = play(controller, {{11}, {}, {{11, verdicts(1, 3)}}}, budget_of(1, 4), 1);
  EXPECT_EQ(shipped_prompts(two.batch), std::vector<PromptId>{11});
}

TEST(Dapo, SamePromptHeldAndFreshMakesTwoGroups) {
  Controller controller = controller_of("dapo", {{"alloc.group_size", "4"}});
  Script script{ids(1, 2), {}, {}};
  for (PromptId id = 1; id <= 2; ++id) script.outcomes[id] = verdicts(2, 2);
  play(controller, script, budget_of(1, 4), 0);
  script.candidates = {2, 1};
  const Played two = play(controller, script, budget_of(2, 8), 1);
  EXPECT_EQ(shipped_prompts(two.batch), (std::vector<PromptId>{2, 2}));
  EXPECT_EQ(two.report(2).shipped, 8u);
}

TEST(Dapo, SingletonsAreNotAdmitted) {
  auto one = verdicts(1, 1);
  one[1].status = Status::Failed;
  Controller controller = controller_of("dapo", {{"alloc.group_size", "2"}});
  const Played p = play(controller, {{1}, {}, {{1, one}}}, budget_of(1, 2));
  EXPECT_TRUE(p.batch.items.empty());
  EXPECT_EQ(p.report(1).cause, ZeroCause::Single);
}

TEST(Dapo, FilterByVerdictIgnoresLengthTerms) {
  const auto items = [](const std::vector<double>& values, const std::string& filter) {
    Controller controller =
        controller_of("dapo", {{"alloc.group_size", "4"}, {"alloc.dapo.filter", filter}});
    return play(controller, {{1}, {}, {{1, rewards(values)}}}, budget_of(1, 4)).batch.items.size();
  };
  for (const std::vector<double>& one_sided :
       {std::vector<double>{0, -.5, -.2, 0}, std::vector<double>{1, .6, .8, 1}}) {
    EXPECT_EQ(items(one_sided, "reward"), 4u);
    EXPECT_EQ(items(one_sided, "correct"), 0u);
  }
  EXPECT_EQ(items({1, .6, -.2, 0}, "correct"), 4u);
}

TEST(Dapo, AcceptRangeBoundsThePassRate) {
  Controller controller =
      controller_of("dapo", {{"alloc.group_size", "4"}, {"alloc.refill.accept_range", "[0.5, 1]"}});
  const Played p =
      play(controller, {{1, 2}, {}, {{1, verdicts(1, 3)}, {2, verdicts(2, 2)}}}, budget_of(1, 8));
  EXPECT_EQ(shipped_prompts(p.batch), std::vector<PromptId>{2});
}

TEST(Dapo, HardCapEndsTheRefill) {
  Script script{ids(1, 8), ids(9, 100), {}};
  for (PromptId id = 1; id <= 100; ++id) script.outcomes[id] = verdicts(0, 8);
  Controller controller = controller_of("dapo");
  Budget budget = budget_of(4, 32);
  budget.hard_rollouts = 8 * 11 + 5;
  const Played p = play(controller, script, budget);
  EXPECT_EQ(p.batch.reports.size(), 11u);  // eight, then three; five rollouts stay unspent
}

TEST(Dapo, DeadlineLosesNoAcceptedGroup) {
  Controller controller = controller_of("dapo", {{"alloc.group_size", "4"}});
  const std::vector<PromptRef> shown = {{1}, {2}, {3}, {4}};
  const Plan plan = controller.plan(shown, budget_of(4, 16), 0);
  std::vector<Outcome> outcomes;  // prompts 1 and 2 finish
  for (const Issued& issued : plan.generate)
    for (std::uint32_t i = 0; i < issued.n && issued.prompt <= 2; ++i) {
      Outcome outcome = verdicts(2, 2)[i];
      outcome.id = issued.first + i;
      outcome.prompt = issued.prompt;
      outcomes.push_back(outcome);
    }
  EXPECT_TRUE(controller.observe(outcomes, {}, true).done);
  EXPECT_EQ(shipped_prompts(controller.finalize()), (std::vector<PromptId>{1, 2}));
}

TEST(Dapo, OverlongPenalty) {
  EXPECT_EQ(overlong_penalty(16384, 20480, 4096), 0);
  EXPECT_EQ(overlong_penalty(18432, 20480, 4096), -.5);
  EXPECT_EQ(overlong_penalty(20480, 20480, 4096), -1);
  EXPECT_EQ(overlong_penalty(20481, 20480, 4096), -1);
  EXPECT_EQ(overlong_penalty(0, 20480, 20480), 0);
  EXPECT_THROW(overlong_penalty(1, 10, 0), Error);
  EXPECT_THROW(overlong_penalty(1, 10, 11), Error);
}

TEST(Dapo, GroupOfOneIsRefused) {
  EXPECT_THROW(controller_of("dapo", {{"alloc.group_size", "1"}}), Error);
}

}  // namespace
}  // namespace allot
