// The learner with an adapter, and with a rounded copy of the weights.
#include <filesystem>

#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

#include "allot/core/testing/temporary_folder.h"
#include "allot/local/learner.h"
#include "allot/local/testing/small_world.h"

namespace allot {
namespace {

using testing::SmallWorld;
using testing::weights_of;

constexpr double kRate = 0.01, kDecay = 0.1;

LearnerOptions small_batches() {
  LearnerOptions o;
  o.micro_rollouts = 5;
  return o;
}

OptimOptions decaying() {
  OptimOptions o;
  o.lr = kRate;
  o.weight_decay = kDecay;
  return o;
}

// A learner of an adapter over its own copy of the small world's weights.
struct AdapterTrainee {
  SmallWorld world;
  std::shared_ptr<lm::LoraAdapter> adapter = std::make_shared<lm::LoraAdapter>(
      world.model, lm::LoraConfig{.r = 2, .alpha = 4, .targets = {"q_proj", "down_proj"}}, 1);
  LocalLearner learner{world.model,           world.tokenizer,     world.prompts,
                       small_batches(),       decaying(),          {},
                       SamplerFacts{1, true}, {.adapter = adapter}};
};

TEST(LearnerWithAnAdapter, TrainsTheAdapterAndMergesIt) {
  AdapterTrainee trainee;
  RolloutStore store;
  const TrainBatch batch = trainee.world.batch({}, store);
  const lm::Model base = trainee.world.model.clone();
  const at::Tensor a = trainee.adapter->parameters()[0].tensor.clone();
  const at::Tensor& b = trainee.adapter->parameters()[1].tensor;
  EXPECT_TRUE(trainee.learner.update(batch, store).updated);
  // B begins at 0, so that A has no gradient yet and only decays.
  EXPECT_LT((trainee.adapter->parameters()[0].tensor - a * (1 - kRate * kDecay))
                .abs()
                .max()
                .item<float>(),
            1e-7);
  EXPECT_NEAR(b.abs().max().item<float>(), kRate, 1e-4);  // AdamW's first step
  EXPECT_TRUE(trainee.learner.update(batch, store).updated);
  const lm::Model& model = trainee.world.model;
  const at::Tensor wanted =
      base.layers[0].q + 2 * b.matmul(trainee.adapter->parameters()[0].tensor);
  EXPECT_LT((model.layers[0].q - wanted).abs().max().item<float>(), 1e-6);
  EXPECT_FALSE(model.layers[1].down.equal(base.layers[1].down));
  for (const auto& [now, before] :
       {std::pair(model.layers[0].up, base.layers[0].up),
        std::pair(model.layers[1].k, base.layers[1].k), std::pair(model.embedding, base.embedding),
        std::pair(model.final_norm, base.final_norm)})
    EXPECT_TRUE(now.equal(before));
}

TEST(LearnerWithAnAdapter, ContinuesBitForBit) {
  const testing::TemporaryFolder folder;
  AdapterTrainee whole, resumed;
  RolloutStore store;
  const TrainBatch batch = whole.world.batch({}, store);
  whole.learner.update(batch, store);
  whole.learner.update(batch, store);
  whole.learner.save(folder.path());
  EXPECT_TRUE(lm::LoraAdapter::is_adapter(folder.path()));
  EXPECT_FALSE(std::filesystem::exists(folder / "model.safetensors"));
  resumed.learner.load(folder.path());
  EXPECT_EQ(weights_of(resumed.world.model), weights_of(whole.world.model));
  whole.learner.update(batch, store);
  resumed.learner.update(batch, store);
  EXPECT_EQ(weights_of(resumed.world.model), weights_of(whole.world.model));
}

TEST(LearnerWithARoundedCopy, TheCopyFollowsAndTheWeightsStayExact) {
  SmallWorld plain, world;
  const lm::Model rounded = world.model.converted(at::kBFloat16);
  LocalLearner without(plain.model, plain.tokenizer, plain.prompts, small_batches(), decaying(),
                       {});
  LocalLearner with(world.model, world.tokenizer, world.prompts, small_batches(), decaying(), {},
                    {}, {.rounded = rounded});
  RolloutStore store;
  const TrainBatch batch = world.batch({}, store);
  for (int i = 0; i < 2; ++i) {
    without.update(batch, store);
    with.update(batch, store);
  }
  EXPECT_EQ(weights_of(world.model), weights_of(plain.model));
  EXPECT_EQ(weights_of(rounded), weights_of(world.model.converted(at::kBFloat16)));
}

TEST(LearnerThatRecomputes, ChangesNoBit) {
  SmallWorld kept_world, world;
  LearnerOptions recompute = small_batches();
  recompute.activations = lm::KeptActivations::LayerInputs;
  LocalLearner keeps(kept_world.model, kept_world.tokenizer, kept_world.prompts, small_batches(),
                     decaying(), {});
  LocalLearner again(world.model, world.tokenizer, world.prompts, recompute, decaying(), {});
  RolloutStore store;
  const TrainBatch batch = world.batch({}, store);
  for (int i = 0; i < 2; ++i) {
    keeps.update(batch, store);
    again.update(batch, store);
  }
  EXPECT_EQ(weights_of(world.model), weights_of(kept_world.model));
}

}  // namespace
}  // namespace allot
