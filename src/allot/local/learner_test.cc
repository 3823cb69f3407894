#include "allot/local/learner.h"

#include <cmath>
#include <filesystem>

#include <gtest/gtest.h>

#include "allot/core/error.h"
#include "allot/core/testing/temporary_folder.h"
#include "allot/local/policy_gradient.h"
#include "allot/local/row_scores.h"
#include "allot/local/testing/small_world.h"
#include "allot/objective/normalizer.h"

namespace allot {
namespace {

namespace fs = std::filesystem;
using testing::BatchSpec;
using testing::SmallWorld;
using testing::weights_of;

OptimOptions optim(double lr = 0.01) {
  OptimOptions o;
  o.lr = lr;
  o.weight_decay = 0.01;
  return o;
}

// A learner over its own copy of the small world's weights.
struct Trainee {
  explicit Trainee(LearnerOptions options = {}, SamplerFacts sampler = {},
                   OptimOptions optim_options = optim())
      : learner(world.model, world.tokenizer, world.prompts, options, std::move(optim_options), {},
                sampler) {}

  std::vector<double> weights() const { return weights_of(world.model); }
  double metric(const std::string& name) const {
    for (const Metric& metric : learner.metrics())
      if (metric.name == name) return metric.value;
    return std::nan("");
  }

  SmallWorld world;
  LocalLearner learner;
};

LearnerOptions options(int updates, int minibatch_rows = 0, int workers = 2) {
  LearnerOptions o;
  o.updates_per_rollout = updates;
  o.minibatch_rows = minibatch_rows;
  o.micro_rollouts = 5;
  o.workers = workers;
  return o;
}

// The groups [first, last) of a batch as a batch of their own.
TrainBatch part_of(const TrainBatch& batch, std::size_t first, std::size_t last) {
  TrainBatch out;
  out.norm = batch.norm;
  out.length_divisor = batch.length_divisor;
  for (std::size_t g = first; g < last; ++g) {
    TrainGroup group = batch.groups[g];
    const auto begin = batch.items.begin() + group.first;
    group.first = static_cast<std::uint32_t>(out.items.size());
    out.items.insert(out.items.end(), begin, begin + group.count);
    out.groups.push_back(group);
  }
  out.fixed =
      batch.fixed * static_cast<double>(out.items.size()) / static_cast<double>(batch.items.size());
  return out;
}

// A copy of the store whose log-probabilities are the model's own, as an exact sampler's are.
RolloutStore exact_store(const SmallWorld& world, const TrainBatch& batch,
                         const RolloutStore& store) {
  const TrainRows rows = train_rows(batch, store, world.prompts, world.tokenizer, 24);
  std::vector<std::uint32_t> all(rows.rows.size());
  for (std::uint32_t i = 0; i < all.size(); ++i) all[i] = i;
  const RowScores found = score_rows(world.model, rows, all, {{}, 1, {5, 2}, 1});
  RolloutStore out;
  for (std::size_t i = 0; i < all.size(); ++i) {
    StoredRollout copy = *rows.rows[i].stored;
    const std::vector<double>& logprob = found.rows[i].logprob;
    copy.rollout.logp.assign(logprob.begin(), logprob.end());
    out.add(copy.rollout, copy.score, 0);
  }
  return out;
}

TEST(LocalLearner, AnUpdateIsGradientClippingAndAdamW) {
  Trainee trainee(options(1));
  RolloutStore store;
  const TrainBatch batch = trainee.world.batch({}, store);
  const lm::Model by_hand = trainee.world.model.clone();

  const Feedback feedback = trainee.learner.update(batch, store);
  EXPECT_TRUE(feedback.updated);
  EXPECT_EQ(feedback.before, 0u);
  EXPECT_EQ(feedback.after, 1u);
  EXPECT_EQ(trainee.learner.version(), 1u);
  EXPECT_NEAR(feedback.mean_reward, 8.0 / 14, 1e-6);  // 2 + 1 + 4 + 1 of 14

  const SmallWorld& world = trainee.world;
  const TrainRows rows = train_rows(batch, store, world.prompts, world.tokenizer, 24);
  const objective::LossOptions loss = objective::LossOptions{}.expanded();
  const UpdatePlan plan =
      plan_update(rows, {0, rows.rows.size()}, objective::normalizer_of(loss, batch), loss);
  PolicyGradient found = policy_gradient(by_hand, rows, plan, {}, {loss, 1, {5, 2}, 1});
  AdamW adamw(by_hand.parameters(), optim());
  const double norm = clip_gradients(found.gradients, 1.0);
  adamw.update(found.gradients, 0.01);
  EXPECT_EQ(trainee.weights(), weights_of(by_hand));
  EXPECT_EQ(trainee.metric("optim/grad_norm"), norm);
  EXPECT_EQ(trainee.metric("loss/total"), found.sums.loss);
  EXPECT_EQ(trainee.metric("train/positions"), static_cast<double>(found.positions));
  EXPECT_EQ(trainee.learner.cost().trained, found.positions);
}

TEST(LocalLearner, WorkersChangeNoBit) {
  std::vector<std::vector<double>> after;
  for (const int workers : {1, 2, 7}) {
    Trainee trainee(options(2, 6, workers));
    RolloutStore store;
    const TrainBatch batch = trainee.world.batch({}, store);
    trainee.learner.update(batch, store);
    trainee.learner.update(batch, store);
    after.push_back(trainee.weights());
  }
  EXPECT_EQ(after[0], after[1]);
  EXPECT_EQ(after[0], after[2]);
}

// Mini-batches are whole groups and normalised over themselves: the same as one batch each.
TEST(LocalLearner, MiniBatchesEqualSeparateBatches) {
  for (const Norm norm : {Norm::PerToken, Norm::PerRollout, Norm::PerGroup, Norm::Fixed}) {
    BatchSpec spec;
    spec.group_sizes = {4, 4, 4, 4};
    spec.norm = norm;
    spec.fixed = norm == Norm::Fixed ? 24 : 0;
    Trainee whole(options(1, 8)), parts(options(1));
    RolloutStore store;
    TrainBatch batch = whole.world.batch(spec, store);
    for (TrainItem& item : batch.items) item.anchor = Anchor::Behaviour;
    const Feedback feedback = whole.learner.update(batch, store);
    EXPECT_EQ(feedback.after, 2u);
    parts.learner.begin_step(0);
    parts.learner.update(part_of(batch, 0, 2), store);
    parts.learner.begin_step(0);
    parts.learner.update(part_of(batch, 2, 4), store);
    EXPECT_EQ(whole.weights(), parts.weights()) << name(norm);
  }
}

TEST(LocalLearner, PassesOverTheRolloutsCountAsUpdates) {
  Trainee trainee(options(3, 6));
  RolloutStore store;
  const TrainBatch batch = trainee.world.batch({}, store);
  const Feedback feedback = trainee.learner.update(batch, store);
  EXPECT_EQ(feedback.after % 3, 0u);
  EXPECT_GE(feedback.after, 6u);
  EXPECT_EQ(trainee.learner.version(), feedback.after);
  // Later passes are off-policy.
  EXPECT_GT(trainee.metric("policy/kl_anchor_k3"), 0);
}

TEST(LocalLearner, ASingleUpdateIsOnPolicyWhateverTheSamplerSaid) {
  Trainee trainee(options(1), {1, true});
  RolloutStore store;
  BatchSpec spec;
  spec.behaviour_anchors = false;
  const TrainBatch batch = trainee.world.batch(spec, store);
  const Feedback feedback = trainee.learner.update(batch, store);
  for (const ItemStat& item : feedback.items) {
    EXPECT_EQ(item.ratio, 1);
    EXPECT_EQ(item.clip_fraction, 0);
  }
  EXPECT_EQ(trainee.metric("policy/kl_anchor_k3"), 0);
  EXPECT_EQ(trainee.learner.cost().scored, 0u);
  EXPECT_GT(trainee.metric("mismatch/logp_diff_max"), 0.1);  // the stored ones are noise
}

TEST(LocalLearner, BehaviourAnchorsAreTheStoredLogProbabilities) {
  Trainee trainee(options(1));
  RolloutStore store;
  TrainBatch batch = trainee.world.batch({}, store);
  for (TrainItem& item : batch.items) item.anchor = Anchor::Behaviour;
  const TrainRows rows =
      train_rows(batch, store, trainee.world.prompts, trainee.world.tokenizer, 24);
  const std::vector<std::uint32_t> first = {0};
  const auto here =
      score_rows(trainee.world.model, rows, first, {{}, 1, {5, 1}, 1}).rows[0].logprob;
  const Feedback feedback = trainee.learner.update(batch, store);
  double ratio = 0;
  const Rollout& rollout = store.get(batch.items[0].rollout).rollout;
  for (std::size_t t = 0; t < here.size(); ++t) ratio += std::exp(here[t] - rollout.logp[t]);
  ratio /= static_cast<double>(here.size());
  EXPECT_NEAR(feedback.items[0].ratio, ratio, 1e-4 * ratio);
}

// With several updates: exact samplers spare the forward pass, others get the same from it.
TEST(LocalLearner, StepStartAnchorsComeFromTheSamplerOrFromAForwardPass) {
  BatchSpec spec;
  spec.behaviour_anchors = false;
  spec.zero_advantages = false;  // all rows are packed alike, so the same bits are wanted
  Trainee exact(options(2), {1, true}), recomputed(options(2), {1, false});
  RolloutStore noise;
  const TrainBatch batch = exact.world.batch(spec, noise);
  const RolloutStore store = exact_store(exact.world, batch, noise);

  exact.learner.update(batch, store);
  recomputed.learner.update(batch, noise);
  EXPECT_EQ(exact.weights(), recomputed.weights());
  EXPECT_EQ(exact.learner.cost().scored, 0u);
  EXPECT_GT(recomputed.learner.cost().scored, 0u);
  EXPECT_EQ(recomputed.metric("train/anchor_positions"),
            static_cast<double>(recomputed.learner.cost().scored));
  EXPECT_TRUE(std::isnan(exact.metric("train/anchor_positions")));
  EXPECT_LT(exact.metric("mismatch/logp_diff_max"), 1e-4);

  // Of an older version the sampler's are not the start of this step, exact or not.
  const auto scored = exact.learner.cost().scored;
  exact.learner.update(batch, store);
  EXPECT_GT(exact.learner.cost().scored, scored);
  EXPECT_TRUE(std::isnan(exact.metric("mismatch/logp_diff_max")));
}

TEST(LocalLearner, WithoutSignalNoBitOfTheWeightsChanges) {
  Trainee trainee(options(2));
  RolloutStore store;
  TrainBatch batch = trainee.world.batch({}, store);
  trainee.learner.update(batch, store);  // momentum is not zero
  const auto before = trainee.weights();
  for (TrainItem& item : batch.items) item.advantage = 0;
  const Feedback feedback = trainee.learner.update(batch, store);
  EXPECT_FALSE(feedback.updated);
  EXPECT_EQ(feedback.before, feedback.after);
  EXPECT_EQ(trainee.weights(), before);
  EXPECT_TRUE(trainee.learner.metrics().empty());
  EXPECT_FALSE(trainee.learner.update(TrainBatch{}, store).updated);
  EXPECT_EQ(trainee.weights(), before);
}

TEST(LocalLearner, FailsBeforeTheWeightsAreTouched) {
  Trainee trainee(options(1));
  RolloutStore store;
  const TrainBatch batch = trainee.world.batch({}, store);
  const auto before = trainee.weights();
  TrainBatch bad = batch;
  bad.items[1].advantage = std::nanf("");
  EXPECT_THROW(trainee.learner.update(bad, store), Error);
  bad = batch;
  bad.items[0].advantage = bad.items[0].weight = 3e38f;  // finite, but their product is not
  try {
    trainee.learner.update(bad, store);
    ADD_FAILURE() << "an infinite gradient was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Model);
    EXPECT_NE(std::string(error.what()).find("gradient norm"), std::string::npos);
  }
  EXPECT_EQ(trainee.weights(), before);
  EXPECT_EQ(trainee.learner.version(), 0u);
  EXPECT_TRUE(trainee.learner.update(batch, store).updated);
}

TEST(LocalLearner, TheLearningRateFollowsTheStepNotTheUpdates) {
  OptimOptions schedule = optim();
  schedule.schedule = Schedule::Linear;
  schedule.schedule_steps = 10;
  Trainee trainee(options(2, 6), {}, schedule);
  RolloutStore store;
  const TrainBatch batch = trainee.world.batch({}, store);
  trainee.learner.update(batch, store);
  EXPECT_NEAR(trainee.metric("optim/lr"), 0.01, 1e-12);
  trainee.learner.update(batch, store);
  EXPECT_NEAR(trainee.metric("optim/lr"), 0.009, 1e-12);
  trainee.learner.begin_step(7);
  trainee.learner.update(batch, store);
  EXPECT_NEAR(trainee.metric("optim/lr"), 0.003, 1e-12);
}

class SavedLearner : public ::testing::Test {
 protected:
  const testing::TemporaryFolder temporary;
  const std::string folder = temporary.path();
};

TEST_F(SavedLearner, ContinuesBitForBit) {
  Trainee whole(options(2, 6)), resumed(options(2, 6));
  RolloutStore store;
  const TrainBatch batch = whole.world.batch({}, store);
  whole.learner.update(batch, store);
  whole.learner.save(folder);
  whole.learner.update(batch, store);
  resumed.learner.load(folder);
  resumed.learner.update(batch, store);
  EXPECT_EQ(whole.weights(), resumed.weights());
  EXPECT_EQ(whole.learner.version(), resumed.learner.version());
  EXPECT_EQ(whole.learner.cost().trained, resumed.learner.cost().trained);
  EXPECT_EQ(whole.learner.cost().scored, resumed.learner.cost().scored);
}

TEST_F(SavedLearner, DamagedFilesAreRefusedAndChangeNothing) {
  Trainee saved(options(1)), other(options(1));
  RolloutStore store;
  saved.learner.update(saved.world.batch({}, store), store);
  saved.learner.save(folder);
  const auto before = other.weights();
  for (const char* file : {"learner.bin", "optimizer.safetensors", "model.safetensors"}) {
    const fs::path path = fs::path(folder) / file;
    const fs::path aside = fs::path(folder) / "aside";
    fs::copy_file(path, aside);
    fs::resize_file(path, fs::file_size(path) / 2);
    EXPECT_THROW(other.learner.load(folder), Error) << file;
    fs::remove(path);
    EXPECT_THROW(other.learner.load(folder), Error) << file;
    fs::rename(aside, path);
    EXPECT_EQ(other.weights(), before) << file;
    EXPECT_EQ(other.learner.version(), 0u);
  }
  other.learner.load(folder);
  EXPECT_EQ(other.weights(), saved.weights());
}

TEST(LocalLearner, RefusesOptionsThatContradict) {
  const SmallWorld world;
  objective::LossOptions loss;
  loss.dual_clip_c = 3;
  loss.ratio_cap = 4;
  EXPECT_THROW(LocalLearner(world.model, world.tokenizer, world.prompts, {}, {}, loss), Error);
  EXPECT_THROW(LocalLearner(world.model, world.tokenizer, world.prompts, {}, {}, {}, {0, false}),
               Error);
}

}  // namespace
}  // namespace allot
