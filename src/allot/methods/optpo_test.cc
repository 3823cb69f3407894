// Golden cases of OptPO: stopping, cancellation, rewards from votes (acceptance tests of the
// method's specification; those of the rule alone are with parts/ballot.h).
#include <set>

#include <gtest/gtest.h>

#include "allot/core/error.h"
#include "allot/core/testing/outcome_stream.h"
#include "allot/methods/testing/script.h"

namespace allot {
namespace {

using testing::budget_of;
using testing::controller_of;
using testing::drive_step;
using testing::play;
using testing::Played;
using testing::Settings;
using testing::StreamWorld;

// Rollouts with these answers; -1 has none. Answer 9 is the reference.
std::vector<Outcome> answers(const std::vector<int>& classes) {
  std::vector<Outcome> out;
  for (const int c : classes) {
    Outcome outcome;
    outcome.answer_class = c;
    outcome.parsed = c >= 0;
    outcome.correct = c == 9;
    outcome.reward = outcome.correct;
    outcome.tokens = 10;
    out.push_back(outcome);
  }
  return out;
}

std::vector<int> repeated(std::vector<int> pattern, std::size_t n) {
  std::vector<int> out;
  for (std::size_t i = 0; i < n; ++i) out.push_back(pattern[i % pattern.size()]);
  return out;
}

Played played(const std::vector<int>& classes, const Settings& settings = {}) {
  Controller controller = controller_of("optpo", settings);
  return play(controller, {{7}, {}, {{7, answers(classes)}}}, budget_of(1, 8));
}

const auto kOf = [](const Played& p, const char* name) {
  return p.metrics.at(std::string("alloc/optpo/") + name);
};

TEST(Optpo, StopsAtTheFloorWithAClearLead) {
  const Played p = played({1, 2, 1, 1, 2, 1, 3, 1});  // 5 : 2 : 1
  EXPECT_EQ(p.requested(7), 8u);
  EXPECT_EQ(kOf(p, "rollouts_to_stop"), 8);
  EXPECT_EQ(kOf(p, "lead"), 3);
  EXPECT_EQ(kOf(p, "classes"), 3);
  EXPECT_EQ(kOf(p, "capped_share"), 0);
  EXPECT_EQ(kOf(p, "agreement_with_gold"), 0);
  ASSERT_EQ(p.batch.items.size(), 8u);
  EXPECT_EQ(p.batch.norm, Norm::PerGroup);
  for (std::size_t i = 0; i < 8; ++i)  // the verifier found none of them right
    EXPECT_EQ(p.batch.items[i].advantage > 0, std::set<std::size_t>({0, 2, 3, 5, 7}).count(i) > 0);
  EXPECT_EQ(p.report(7).cause, ZeroCause::None);
  EXPECT_EQ(p.report(7).counted_sum, 0);  // beliefs count verdicts, never votes
}

// Acceptance test 5: the ninth vote decides, three of the second request are cancelled.
TEST(Optpo, CancelledRolloutsCastNoVote) {
  const Played p = played({1, 2, 1, 2, 1, 2, 1, 1, 1, 2, 2, 2});  // 5 : 3, then 6 : 3
  EXPECT_EQ(p.requested(7), 12u);
  EXPECT_EQ(p.batch.items.size(), 9u);
  EXPECT_EQ(kOf(p, "rollouts_to_stop"), 9);
  EXPECT_EQ(kOf(p, "cancelled"), 3);
  EXPECT_EQ(kOf(p, "lead"), 3);
  std::vector<RolloutId> cancelled;
  for (const Plan& plan : p.plans)
    cancelled.insert(cancelled.end(), plan.cancel.begin(), plan.cancel.end());
  EXPECT_EQ(cancelled.size(), 3u);
  EXPECT_EQ(p.metrics.at("rollouts/generated"), 12);  // one outcome each, cancelled ones too
}

TEST(Optpo, RequestsFollowOneByOne) {
  const Played p = played(repeated({1, 2}, 64), {{"alloc.optpo.batch", "1"}});
  EXPECT_EQ(p.requested(7), 64u);
  for (const Plan& plan : p.plans)
    for (const Issued& issued : plan.generate) {
      EXPECT_EQ(issued.n, issued.round == 0 ? 8u : 1u);
      EXPECT_EQ(issued.tag, issued.round);
    }
}

// Acceptance test 4.
TEST(Optpo, WithoutAMajorityNothingIsShipped) {
  const Played none = played(repeated({-1}, 64));
  EXPECT_EQ(none.requested(7), 64u);
  EXPECT_EQ(none.report(7).cause, ZeroCause::NoAnswer);
  EXPECT_TRUE(none.batch.items.empty());
  EXPECT_EQ(kOf(none, "capped_share"), 1);
  const Played tie = played(repeated({4, 9}, 64));
  EXPECT_EQ(tie.requested(7), 64u);
  EXPECT_EQ(tie.report(7).cause, ZeroCause::Tie);
  EXPECT_TRUE(tie.batch.items.empty());
  const Played one = played(repeated({9}, 8));
  EXPECT_EQ(one.requested(7), 8u);
  EXPECT_EQ(one.report(7).cause, ZeroCause::AllRight);
  EXPECT_TRUE(one.batch.items.empty());
  EXPECT_EQ(kOf(one, "agreement_with_gold"), 1);
}

TEST(Optpo, UnreadableAnswersHaveRewardZero) {
  const Played p = played({9, -1, 9, 9, -1, 9, 9, 9});
  ASSERT_EQ(p.batch.items.size(), 8u);
  for (const std::size_t i : {1u, 4u}) EXPECT_LT(p.batch.items[i].advantage, 0);
  EXPECT_EQ(kOf(p, "classes"), 1);
}

// Acceptance test 3, also where a hard cap binds: each prompt has its own share of it.
TEST(Optpo, CompletionTimesChangeNothing) {
  for (const bool capped : {false, true}) {
    std::set<std::string> transcripts;
    for (std::uint64_t arrival = 0; arrival < 12; ++arrival) {
      StreamWorld world({.seed = 4,
                         .prompts = 30,
                         .arrival_seed = arrival,
                         .arrivals_per_call = static_cast<std::uint32_t>(arrival % 5)});
      Controller controller = controller_of("optpo");
      Budget budget = budget_of(10, 80);
      if (capped) budget.hard_rollouts = 107;
      const auto step = drive_step(controller, world, budget);
      EXPECT_LE(step.reported.size(), capped ? 107u : 640u);
      transcripts.insert(transcript_by_prompt(step));
    }
    EXPECT_EQ(transcripts.size(), 1u);
  }
}

// Votes at p0 = .5 over four answers, through the Controller: the mean of the specification is 12.6
// rollouts for requests one by one.
TEST(Optpo, RolloutsToStopInAStream) {
  StreamWorld world({.seed = 4, .prompts = 4000, .pass_rate = [](PromptId) { return .5; }});
  Controller controller = controller_of("optpo", {{"alloc.optpo.batch", "1"}});
  double rollouts = 0, gold = 0;
  for (int i = 0; i < 10; ++i)
    for (const Metric& metric : drive_step(controller, world, budget_of(400, 3200)).metrics) {
      if (metric.name == "alloc/optpo/rollouts_to_stop") rollouts += metric.value / 10;
      if (metric.name == "alloc/optpo/agreement_with_gold") gold += metric.value / 10;
    }
  EXPECT_NEAR(rollouts, 12.6, .4);  // 4000 prompts, deviation of one about 8
  EXPECT_NEAR(gold, .952, .012);
}

TEST(Optpo, RefusesWhatDoesNotFit) {
  const auto refused = [](const Settings& settings, const std::string& key) {
    try {
      controller_of("optpo", settings);
    } catch (const Error& error) {
      return std::string(error.what()).find(key) != std::string::npos;
    }
    return false;
  };
  EXPECT_TRUE(refused({{"alloc.optpo.cap", "4"}}, "alloc.optpo.cap"));
  EXPECT_TRUE(refused({{"alloc.optpo.batch", "65"}}, "alloc.optpo.cap"));
  EXPECT_TRUE(refused({{"alloc.optpo.classes", "2"}}, "alloc.optpo.p0"));
  EXPECT_TRUE(
      refused({{"alloc.optpo.alpha", "0.5"}, {"alloc.optpo.beta", "0.5"}}, "alloc.optpo.alpha"));
  const AllocOptions alloc = testing::alloc_options("optpo");
  HostTraits no_cancel = testing::serves_everything();
  no_cancel.cancel = false;
  EXPECT_THROW(Controller(make_method(alloc, {}), {.method = "optpo", .host = no_cancel}), Error);
}

}  // namespace
}  // namespace allot
