// The learner with every loss of the family: it computes of other policies what the loss asks for,
// trains, reports, and continues from a checkpoint.
#include <cmath>
#include <map>

#include <gtest/gtest.h>

#include "allot/core/error.h"
#include "allot/core/testing/temporary_folder.h"
#include "allot/local/learner.h"
#include "allot/local/testing/small_world.h"
#include "allot/objective/presets.h"
#include "allot/objective/requirements.h"

namespace allot {
namespace {

using objective::LossOptions;
using testing::BatchSpec;
using testing::SmallWorld;
using testing::weights_of;

LossOptions trainable(std::string_view preset) {
  LossOptions o;
  o.preset = std::string(preset);
  o.curvature.lr = .01;
  if (o.expanded().has_mask("curvature")) o.curvature.delta_f = o.curvature.delta_h = .05;
  // Its published band, 0.1 % wide, keeps no response of this world's sampler.
  if (preset == "geo_rs") o.rejection.min = .5, o.rejection.max = 2;
  return o;
}

LearnerOptions updates_of(int updates) {
  LearnerOptions o;
  o.updates_per_rollout = updates;
  o.micro_rollouts = 5;
  return o;
}

OptimOptions large_steps() {
  OptimOptions o;
  o.lr = 0.01;
  return o;
}

// R - mean of the group, less the penalty; as the estimators of adv.* do.
ScalarEstimator centred(TokenStep step) {
  return {step, 1,
          [](std::span<const std::vector<double>> rewards, std::span<const std::uint32_t> groups,
             std::span<const double> penalty) {
            std::map<std::uint32_t, std::pair<double, double>> sums;
            for (std::size_t i = 0; i < rewards.size(); ++i) {
              sums[groups[i]].first += rewards[i][0] - penalty[i];
              sums[groups[i]].second += 1;
            }
            ScalarAdvantages out;
            for (std::size_t i = 0; i < rewards.size(); ++i) {
              const auto& [sum, count] = sums[groups[i]];
              out.values.push_back(rewards[i][0] - penalty[i] - sum / count);
              out.scorable.push_back(true);
            }
            out.metrics = {{"group/degenerate", 0.25}};
            return out;
          }};
}

struct LossTrainee {
  explicit LossTrainee(const LossOptions& loss, int updates = 2)
      : learner(world.model, world.tokenizer, world.prompts, updates_of(updates), large_steps(),
                loss, {1, false}, {}, parts(loss)) {
    batch = world.batch(BatchSpec{.behaviour_anchors = false}, store);
  }
  LossParts parts(const LossOptions& given) const {
    const LossOptions loss = given.expanded();
    LossParts out;
    out.seed = 5;
    if (objective::requirements(loss).reference) out.reference = world.model.clone();
    if (loss.kl.placement == objective::KlPlacement::InReward)
      out.estimator = centred(TokenStep::None);
    return out;
  }
  double metric(const std::string& name) const {
    for (const Metric& metric : learner.metrics())
      if (metric.name == name) return metric.value;
    return std::nan("");
  }

  SmallWorld world;
  LocalLearner learner;
  RolloutStore store;
  TrainBatch batch;
};

TEST(LearnerObjectives, EveryPresetTrains) {
  for (const objective::PresetRow& preset : objective::presets()) {
    SCOPED_TRACE(preset.name);
    const LossOptions loss = trainable(preset.name);
    const objective::Requirements needs = objective::requirements(loss);
    LossTrainee trainee(loss);
    const auto before = weights_of(trainee.world.model);
    for (int step = 0; step < 3; ++step) {
      const Feedback feedback = trainee.learner.update(trainee.batch, trainee.store);
      EXPECT_TRUE(feedback.updated);
      EXPECT_GT(feedback.mean_entropy, 0);
    }
    EXPECT_EQ(trainee.learner.version(), 6u);
    EXPECT_NE(weights_of(trainee.world.model), before);
    for (const Metric& metric : trainee.learner.metrics())
      EXPECT_TRUE(std::isfinite(metric.value)) << metric.name;
    // With two updates the old policy takes a pass, and nothing else is computed unasked.
    const bool scores = needs.old || needs.reference || needs.top_k || needs.rollout;
    if (!scores && !loss.expanded().has_mask("top_entropy")) {
      EXPECT_EQ(trainee.learner.cost().scored, 0u);
    }
    if (needs.old || needs.reference || needs.top_k) {
      EXPECT_GT(trainee.learner.cost().scored, 0u);
    }
    EXPECT_EQ(std::isnan(trainee.metric("loss/kl")),
              loss.expanded().kl.placement != objective::KlPlacement::InLoss);
    for (const std::string& mask : loss.expanded().masks) {
      if (mask == "none") continue;
      EXPECT_FALSE(std::isnan(trainee.metric("mask/" + mask + "_keep_pos")));
    }
  }
}

// A batch without advantages trains only where the loss has another term, and that term alone.
TEST(LearnerObjectives, KlAndEntropyReachRowsWithoutAdvantage) {
  LossOptions bonus = trainable("dapo");
  bonus.entropy_coef = 1;
  for (const LossOptions& loss : {trainable("dapo"), trainable("grpo"), bonus}) {
    LossTrainee trainee(loss, 1);
    // At the start the policy is its own reference; KL has a gradient once they differ.
    if (loss.preset == "grpo") trainee.learner.update(trainee.batch, trainee.store);
    for (TrainItem& item : trainee.batch.items) item.advantage = 0;
    const bool other_term = loss.preset == "grpo" || loss.entropy_coef > 0;
    EXPECT_EQ(trainee.learner.update(trainee.batch, trainee.store).updated, other_term);
    if (!other_term) continue;
    EXPECT_EQ(trainee.metric("loss/policy"), 0);
    EXPECT_NE(trainee.metric("loss/total"), 0);
  }
}

TEST(LearnerObjectives, TheKlBringsThePolicyBackToItsReference) {
  LossOptions loss = trainable("grpo");
  loss.kl.beta = 3;
  LossTrainee trainee(loss, 1);
  trainee.learner.update(trainee.batch, trainee.store);
  EXPECT_NEAR(trainee.metric("policy/kl_ref"), 0, 1e-9);  // the reference itself
  for (int i = 0; i < 4; ++i) trainee.learner.update(trainee.batch, trainee.store);
  const double away = trainee.metric("policy/kl_ref");
  EXPECT_GT(away, 1e-6);
  for (TrainItem& item : trainee.batch.items) item.advantage = 0;
  for (int i = 0; i < 30; ++i) trainee.learner.update(trainee.batch, trainee.store);
  EXPECT_LT(trainee.metric("policy/kl_ref"), away);
}

// Rewards of the verifier, not the batch's advantages, count under an estimator.
TEST(LearnerObjectives, AnEstimatorReplacesTheMethodsAdvantages) {
  const SmallWorld world;
  LossParts parts;
  parts.estimator = centred(TokenStep::None);
  RolloutStore store;
  TrainBatch batch = world.batch(BatchSpec{.behaviour_anchors = false}, store);
  std::vector<std::vector<double>> after;
  for (const bool estimated : {true, false}) {
    const lm::Model model = world.model.clone();
    LocalLearner learner(model, world.tokenizer, world.prompts, updates_of(1), large_steps(), {},
                         {}, {}, estimated ? parts : LossParts{});
    TrainBatch given = batch;
    for (const TrainGroup& group : batch.groups) {
      double mean = 0;
      for (std::uint32_t i = 0; i < group.count; ++i)
        mean += store.get(batch.items[group.first + i].rollout).score.reward / group.count;
      for (std::uint32_t i = 0; i < group.count && !estimated; ++i) {
        TrainItem& item = given.items[group.first + i];
        item.advantage = static_cast<float>(store.get(item.rollout).score.reward - mean);
      }
    }
    learner.update(given, store);
    after.push_back(weights_of(model));
    bool reported = false;
    for (const Metric& metric : learner.metrics()) reported |= metric.name == "group/degenerate";
    EXPECT_EQ(reported, estimated);
  }
  ASSERT_EQ(after[0].size(), after[1].size());
  double worst = 0;
  for (std::size_t i = 0; i < after[0].size(); ++i)
    worst = std::max(worst, std::abs(after[0][i] - after[1][i]));
  EXPECT_LT(worst, 1e-4);  // advantages of the batch are floats; AdamW's first step is 0.01
}

TEST(LearnerObjectives, ContinuesBitForBit) {
  LossOptions adaptive = trainable("dapo");
  adaptive.entropy = {true, 50, .1};
  for (const LossOptions& loss :
       {trainable("flow_rl"), trainable("jackpot"), trainable("capo"), adaptive}) {
    SCOPED_TRACE(loss.preset);
    const testing::TemporaryFolder folder;
    LossTrainee whole(loss), resumed(loss);
    whole.learner.update(whole.batch, whole.store);
    whole.learner.save(folder.path());
    whole.learner.update(whole.batch, whole.store);
    resumed.learner.load(folder.path());
    resumed.learner.update(whole.batch, whole.store);
    EXPECT_EQ(weights_of(whole.world.model), weights_of(resumed.world.model));
    EXPECT_EQ(std::isnan(whole.metric("loss/entropy_coef")), !loss.entropy.adaptive);
    if (!loss.entropy.adaptive) continue;
    EXPECT_NEAR(resumed.metric("loss/entropy_coef"), .2, 1e-12);
  }
}

TEST(LearnerObjectives, RefusesALossWithoutItsParts) {
  const SmallWorld world;
  for (const char* preset : {"grpo", "flow_rl", "rloo"}) {
    try {
      LocalLearner(world.model, world.tokenizer, world.prompts, {}, {}, trainable(preset));
      ADD_FAILURE() << preset;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Config) << preset;
    }
  }
}

}  // namespace
}  // namespace allot
