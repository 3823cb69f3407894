// Golden cases of CBS (acceptance tests of the method's specification); the choice itself and the
// network are tested in parts/arms_test.cc and parts/mlp_test.cc.
#include <cmath>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "allot/core/testing/outcome_stream.h"
#include "allot/methods/parts/arm_scheduler.h"
#include "allot/methods/testing/script.h"

namespace allot {
namespace {

using testing::budget_of;
using testing::controller_of;
using testing::drive_step;
using testing::DrivenStep;
using testing::play;
using testing::Played;
using testing::Script;
using testing::Settings;
using testing::StreamSettings;
using testing::StreamWorld;
using testing::verdicts;

const Settings kGlobal = {{"alloc.rollout_bandit.mode", "global"},
                          {"alloc.rollout_bandit.rounds", "3"},
                          {"alloc.rollout_bandit.fit_rounds", "2"}};

// 1. V .40 -> .45 with entropy .30 -> .35 costs half of the gain; below e_min it costs nothing.
TEST(RolloutBandit, RewardOfARound) {
  EXPECT_NEAR(arm_reward({.40, .30}, {.45, .35}, .5, .2), .025, 1e-15);
  EXPECT_NEAR(arm_reward({.40, .15}, {.45, .35}, .5, .2), .05, 1e-15);
}

// A world whose mean reward moves by +-.05 with the sign of the mean entropy of the arms that were
// trained on, at once or one round too late; the choice is uniform. The correlation of scores with
// entropy over the last 50 of 200 rounds.
double learned(std::uint64_t seed, bool late) {
  Controller controller = controller_of(
      "rollout_bandit",
      {{"alloc.rollout_bandit.epsilon", "1"}, {"alloc.rollout_bandit.entropy_min", "100"}}, seed);
  double level = 0, pending = 0, sum = 0;
  for (int round = 0; round < 200; ++round) {
    Script script{{1, 2, 3, 4}, {}, {}};
    for (const PromptId prompt : script.candidates) {
      RandomStream random({seed, RandomUse::Test, static_cast<std::uint64_t>(round), prompt, 51});
      script.outcomes[prompt] = verdicts(4, 4);
      for (Outcome& outcome : script.outcomes[prompt]) {
        outcome.reward += static_cast<float>(level) - .5f;
        outcome.mean_entropy = random.uniform() < .5 ? .05f : .15f;
      }
    }
    const Played played = play(controller, script, budget_of(4, 32), static_cast<Version>(round));
    double tilt = 0;
    for (const PromptId prompt : script.candidates)
      for (const std::uint32_t seq : played.kept(prompt))
        tilt += script.outcomes[prompt][seq].mean_entropy - .1;
    const double effect = tilt > 0 ? .05 : -.05;
    level += late ? pending : effect;
    pending = effect;
    if (round >= 150) sum += played.metrics.at("alloc/rollout_bandit/score_entropy_corr") / 50;
  }
  return sum;
}

// 2. The reward belongs to the arms of the round before it, and to no other.
TEST(RolloutBandit, FeedbackPairsWithTheRightRound) {
  double right = 0, wrong = 0;
  constexpr int kSeeds = 4;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const double corr = learned(seed, false);
    EXPECT_GT(corr, .4) << seed;
    right += corr / kSeeds;
    wrong += learned(seed, true) / kSeeds;
  }
  EXPECT_GT(right, .6);
  EXPECT_LT(std::abs(wrong), right / 2);
}

TEST(ArmScheduler, RewardsOnlyWhatTheNewPolicyContains) {
  SchedulerOptions options;
  options.entropy_weight = 0;
  ArmScheduler scheduler(options);
  scheduler.open(1);
  Arm arm;
  const std::vector<Arm> arms = {arm};
  const Arm* selected[] = {&arms[0]};
  const auto reward = [&] {
    MetricList metrics;
    scheduler.report(metrics);
    for (const Metric& metric : metrics.all())
      if (metric.name == "R") return metric.value;
    return std::nan("");
  };
  scheduler.scores(arms, 0);
  scheduler.select(0, {.4, 0}, selected);
  scheduler.feedback(0, true, 1);
  scheduler.settle(0, RoundMeans{.9, 0});  // planned before the update: overlap
  EXPECT_TRUE(std::isnan(reward()));
  scheduler.settle(1, RoundMeans{.5, 0});
  EXPECT_NEAR(reward(), .1, 1e-15);
  scheduler.settle(1, RoundMeans{.6, 0});  // once
  EXPECT_TRUE(std::isnan(reward()));
  scheduler.select(3, {.5, 0}, selected);
  scheduler.feedback(3, false, 1);  // no update, no reward
  scheduler.settle(1, RoundMeans{.7, 0});
  EXPECT_TRUE(std::isnan(reward()));
  scheduler.select(4, {.5, 0}, selected);
  scheduler.feedback(4, true, 2);
  scheduler.settle(2, std::nullopt);  // the round that could tell had no score
  scheduler.settle(2, RoundMeans{.7, 0});
  EXPECT_TRUE(std::isnan(reward()));
}

// 3. Until enough rounds have a reward the choice is uniform; then epsilon decides.
TEST(RolloutBandit, UniformAtFirst) {
  Controller controller = controller_of("rollout_bandit", {{"alloc.rollout_bandit.fit_rounds", "3"},
                                                           {"alloc.rollout_bandit.epsilon", "0"}});
  Script script{{1, 2}, {}, {{1, verdicts(3, 5)}, {2, verdicts(5, 3)}}};
  for (Version round = 0; round < 6; ++round) {
    const Played played = play(controller, script, budget_of(2, 16), round);
    // Round 0 has no reward yet, rounds 1, 2 and 3 bring the first three.
    EXPECT_EQ(played.metrics.at("alloc/rollout_bandit/explore_share"), round < 3 ? 1 : 0) << round;
    EXPECT_EQ(played.metrics.count("alloc/rollout_bandit/R"), round > 0 ? 1u : 0u);
  }
}

// 5. Intra keeps ceil(p G) of each group, with the advantages of the whole group.
TEST(RolloutBandit, IntraKeepsItsShareOfEachGroup) {
  for (const auto& [share, scored, kept] :
       std::vector<std::tuple<const char*, std::size_t, std::size_t>>{
           {"0.5", 8, 4}, {"0.5", 7, 4}, {"0.3", 8, 3}, {"1", 8, 8}, {"0.25", 8, 2}}) {
    auto outcomes = verdicts(2, 6);
    for (std::size_t i = scored; i < 8; ++i) outcomes[i].scoring = Scoring::NotScorable;
    Controller controller =
        controller_of("rollout_bandit", {{"alloc.rollout_bandit.share", share}});
    const Played played =
        play(controller, {{1, 2}, {}, {{1, outcomes}, {2, verdicts(0, 8)}}}, budget_of(2, 16));
    EXPECT_EQ(played.kept(1).size(), kept);
    EXPECT_TRUE(played.kept(2).empty());
    EXPECT_EQ(played.report(2).cause, ZeroCause::AllWrong);
    Controller grpo = controller_of("grpo");
    const Played whole = play(grpo, {{1}, {}, {{1, outcomes}}}, budget_of(1, 8));
    for (std::size_t i = 0; i < kept; ++i)
      EXPECT_EQ(played.advantages(1)[i], whole.advantages(1)[played.kept(1)[i]]);
  }
}

StreamSettings failing_world() {
  return {.seed = 12,
          .prompts = 60,
          .failed = .05,
          .truncated = .05,
          .not_scorable = .05,
          .verifier_error = .05,
          .no_answer = .05,
          .max_held = 100};
}

// 4. Global: nothing older than L rounds is shipped or held, and never more than K.
TEST(RolloutBandit, BufferIsFirstInFirstOut) {
  StreamSettings settings = failing_world();
  settings.max_held = 0;
  StreamWorld world(settings);
  Controller controller = controller_of("rollout_bandit", kGlobal);
  std::map<RolloutId, std::uint64_t> born;
  bool reused = false, oldest = false;
  for (int i = 0; i < 12; ++i) {
    const DrivenStep step = drive_step(controller, world, budget_of(10, 80));
    for (const Outcome& outcome : step.reported) born[outcome.id] = step.step;
    EXPECT_LE(step.batch.items.size(), 40u);
    for (const TrainItem& item : step.batch.items) {
      const std::uint64_t age = step.step - born.at(item.rollout);
      EXPECT_LT(age, 3u);
      reused |= age > 0;
      oldest |= age == 2;
      EXPECT_EQ(item.anchor, age > 0 ? Anchor::Behaviour : Anchor::StepStart);
    }
    std::set<std::uint64_t> rounds;
    for (const RolloutId id : world.held()) rounds.insert(born.at(id));
    EXPECT_LE(rounds.size(), 2u);  // with the coming round three
  }
  EXPECT_TRUE(reused && oldest);
}

// 4, 6. Scores depend on usage counters, ages and clip statistics: a reload at every event, and two
// in a row, change nothing.
TEST(RolloutBandit, GlobalResumesAtEveryEvent) {
  const auto run = [](int reloads) {
    StreamSettings settings = failing_world();
    settings.at_event = [=](Controller& controller) {
      for (int i = 0; i < reloads; ++i) {
        Controller fresh = controller_of("rollout_bandit", kGlobal);
        fresh.load(controller.save(3), 3);
        controller = std::move(fresh);
      }
    };
    StreamWorld world(settings);
    Controller controller = controller_of("rollout_bandit", kGlobal);
    std::string text;
    for (int i = 0; i < 8; ++i)
      text += transcript(drive_step(controller, world, budget_of(10, 80)));
    return text;
  };
  const std::string expected = run(0);
  EXPECT_EQ(run(1), expected);
  EXPECT_EQ(run(2), expected);
}

TEST(RolloutBandit, GlobalKeepsAsManyAsAsked) {
  Settings settings = kGlobal;
  settings.emplace_back("alloc.rollout_bandit.kept", "5");
  Controller controller = controller_of("rollout_bandit", settings);
  const Script script{{1, 2}, {}, {{1, verdicts(4, 4)}, {2, verdicts(4, 4)}}};
  for (Version round = 0; round < 5; ++round) {
    const Played played = play(controller, script, budget_of(2, 16), round);
    EXPECT_EQ(played.batch.items.size(), 5u);
    for (const TrainGroup& group : played.batch.groups) EXPECT_EQ(group.pool_n, 8u);
    EXPECT_EQ(played.metrics.at("alloc/rollout_bandit/V"), .5);
  }
}

}  // namespace
}  // namespace allot
