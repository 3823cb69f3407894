#include "allot/local/warm_start.h"

#include <cmath>

#include <gtest/gtest.h>

#include "allot/core/error.h"
#include "allot/local/testing/small_world.h"

namespace allot {
namespace {

using testing::LetterPrompts;
using testing::SmallWorld;
using testing::weights_of;

WarmStartOptions steps_of(int steps) {
  WarmStartOptions o;
  o.steps = steps;
  o.batch = 24;
  o.lr = 0.01;
  o.warmup_steps = 5;
  return o;
}

lm::Model fresh_model(const SmallWorld& world) {
  return lm::Model::random(world.model.config(), 3, at::kFloat, at::kCPU);
}

// Random logits of spread 1 cost half a nat more than a uniform guess; a tied head adds a
// preference for the token just read.
TEST(WarmStart, StartsNearAUniformGuessAndLearns) {
  const SmallWorld world;
  const lm::Model model = fresh_model(world);
  const auto ids = world.prompts.ids();
  const WarmStartResult result =
      warm_start(model, world.tokenizer, world.prompts, ids, steps_of(120));
  EXPECT_TRUE(result.complete);
  EXPECT_EQ(result.steps, 120u);
  EXPECT_GT(result.first_loss, std::log(world.tokenizer.size()));
  EXPECT_LT(result.first_loss, std::log(world.tokenizer.size()) + 2);
  EXPECT_LT(result.last_loss, 0.6 * result.first_loss);
}

TEST(WarmStart, EndsOnceTheLossIsLowEnough) {
  const SmallWorld world;
  const auto ids = world.prompts.ids();
  const lm::Model whole = fresh_model(world), early = fresh_model(world);
  const double reached =
      warm_start(whole, world.tokenizer, world.prompts, ids, steps_of(120)).last_loss;
  WarmStartOptions until = steps_of(120);
  until.until_loss = 2 * reached;
  const WarmStartResult result = warm_start(early, world.tokenizer, world.prompts, ids, until);
  EXPECT_TRUE(result.complete);
  EXPECT_LT(result.steps, 120u);
  EXPECT_GE(result.steps, 10u);
  EXPECT_LT(result.last_loss, until.until_loss);
  EXPECT_GT(result.last_loss, reached);
}

TEST(WarmStart, IsDeterministicAndIndependentOfWorkers) {
  const SmallWorld world;
  const auto ids = world.prompts.ids();
  std::vector<std::vector<double>> weights;
  for (const int workers : {1, 2, 2}) {
    const lm::Model model = fresh_model(world);
    warm_start(model, world.tokenizer, world.prompts, ids, steps_of(6), {7, 2, workers});
    weights.push_back(weights_of(model));
  }
  EXPECT_EQ(weights[0], weights[1]);
  EXPECT_EQ(weights[0], weights[2]);
  WarmStartOptions other = steps_of(6);
  other.seed = 1;
  const lm::Model model = fresh_model(world);
  warm_start(model, world.tokenizer, world.prompts, ids, other, {7, 2, 1});
  EXPECT_NE(weights_of(model), weights[0]);
}

TEST(WarmStart, CountsPositionsAndReportsProgress) {
  const SmallWorld world;
  const std::vector<PromptId> one = {100};
  const std::size_t n = world.prompts.get(100).text.size();
  WarmStartOptions o = steps_of(3);
  o.batch = 2;
  std::vector<std::uint64_t> seen;
  const WarmStartResult result = warm_start(fresh_model(world), world.tokenizer, world.prompts, one,
                                            o, {}, [&](const WarmStartProgress& p) {
                                              EXPECT_EQ(p.steps, 3u);
                                              seen.push_back(p.step);
                                            });
  EXPECT_EQ(seen, (std::vector<std::uint64_t>{1, 2, 3}));
  // Prompt and reversed prompt; the end token is only predicted.
  EXPECT_EQ(result.positions, 3 * 2 * (2 * n));
}

TEST(WarmStart, StopsWhenAsked) {
  const SmallWorld world;
  const auto ids = world.prompts.ids();
  std::atomic<bool> stop{false};
  const WarmStartResult result = warm_start(
      fresh_model(world), world.tokenizer, world.prompts, ids, steps_of(50), {},
      [&](const WarmStartProgress& p) { stop = p.step == 4; }, &stop);
  EXPECT_FALSE(result.complete);
  EXPECT_EQ(result.steps, 4u);
}

TEST(WarmStart, NoStepsChangeNothing) {
  const SmallWorld world;
  const lm::Model model = fresh_model(world);
  const auto before = weights_of(model);
  EXPECT_EQ(warm_start(model, world.tokenizer, world.prompts, {}, steps_of(0)).steps, 0u);
  EXPECT_EQ(weights_of(model), before);
}

// A source of one prompt with the given texts.
class OnePrompt final : public PromptSource {
 public:
  OnePrompt(std::string text, std::string demonstration) {
    prompt_.id = 1;
    prompt_.text = std::move(text);
    prompt_.demonstration = std::move(demonstration);
  }
  std::span<const PromptRef> candidates(std::size_t, Draw) override { return {}; }
  void begin_step(std::uint64_t) override {}
  const Prompt& get(PromptId) const override { return prompt_; }
  std::size_t size() const override { return 1; }
  std::string save() const override { return {}; }
  void load(std::string_view) override {}
  std::uint64_t hash() const override { return 0; }

 private:
  Prompt prompt_;
};

TEST(WarmStart, RefusesWhatItCannotLearnFrom) {
  const SmallWorld world;
  const std::vector<PromptId> ids = {1};
  const auto run = [&](const OnePrompt& prompts) {
    warm_start(fresh_model(world), world.tokenizer, prompts, ids, steps_of(1));
  };
  run(OnePrompt("ab", "ba"));
  EXPECT_THROW(run(OnePrompt("ab", "")), Error);
  EXPECT_THROW(run(OnePrompt("", "ba")), Error);
  EXPECT_THROW(run(OnePrompt("ab", "?")), Error);  // not in the alphabet
  run(OnePrompt("ab", std::string(22, 'a')));      // 24 positions, the context
  EXPECT_THROW(run(OnePrompt("ab", std::string(23, 'a'))), Error);
}

}  // namespace
}  // namespace allot
