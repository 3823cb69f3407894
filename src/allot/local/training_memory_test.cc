// The estimate against what the process takes, by the kernel's own account.
#include "allot/local/training_memory.h"

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>

#include <gtest/gtest.h>

#include "allot/lm/matmul.h"
#include "allot/local/learner.h"
#include "allot/local/testing/small_world.h"

namespace allot {
namespace {

double status_megabytes(const std::string& line) {
  std::ifstream in("/proc/self/status");
  std::string word;
  while (in >> word) {
    double kilobytes = 0;
    if (word == line && in >> kilobytes) return kilobytes * 1024 / 1e6;
  }
  return 0;
}

// The peak counts from now on. False where the kernel does not allow it.
bool restart_peak() {
  std::ofstream out("/proc/self/clear_refs");
  out << "5" << std::flush;
  return static_cast<bool>(out);
}

bool memory_is_as_usual() {  // sanitizers multiply it
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return false;
#else
  return true;
#endif
}

// Makes a model, updates it once, and ends the process: 0 where the estimate holds.
[[noreturn]] void compare_with_an_update(lm::KeptActivations kept) {
  const testing::SmallWorld world;
  lm::ModelConfig config;
  config.vocab = world.tokenizer.size();
  config.dim = 384;
  config.layers = 6;
  config.heads = 8;
  config.kv_heads = 2;
  config.head_dim = 48;
  config.ffn = 1536;
  constexpr int kResponses = 6, kTokens = 100;

  restart_peak();
  const double before = status_megabytes("VmRSS:");
  const lm::Model model = lm::Model::random(config, 1, at::kFloat, at::kCPU);
  LearnerOptions options;
  options.shards = options.workers = 1;
  options.activations = kept;
  LocalLearner learner(model, world.tokenizer, world.prompts, options, {},
                       objective::LossOptions{}.expanded(), {1.0, true});
  TrainBatch batch;
  RolloutStore store;
  const PromptId prompt = world.prompts.ids().front();
  batch.groups.push_back({prompt, 0, kResponses, kResponses, 0.5f});
  for (int i = 0; i < kResponses; ++i) {
    Rollout rollout;
    rollout.id = static_cast<RolloutId>(i);
    rollout.prompt = prompt;
    rollout.tokens.assign(kTokens, 1 + i);
    rollout.logp.assign(kTokens, -1.0f);
    store.add(std::move(rollout), {}, 0);
    batch.items.push_back({static_cast<RolloutId>(i), i % 2 ? 1.0f : -1.0f});
  }
  learner.update(batch, store);
  const double taken = status_megabytes("VmHWM:") - before;

  const auto rows = static_cast<std::int64_t>(kResponses * kTokens);
  const TrainingMemory estimate = training_memory(config, {rows, 1, 1, kept});
  const double estimated = estimate.total() / 1e6;
  std::cerr << "took " << taken << " MB, estimated: " << estimate.to_string() << "\n";
  // Too little would end in a killed process, too much only refuses what just fits.
  std::_Exit(taken > 150 && estimated > 0.97 * taken && estimated < 1.3 * taken ? 0 : 1);
}

class TrainingMemoryOf : public ::testing::TestWithParam<lm::KeptActivations> {};

// In a process of its own: the memory that earlier tests freed would be taken again unseen.
TEST_P(TrainingMemoryOf, AnUpdateIsAsEstimated) {
  if (!memory_is_as_usual() || !restart_peak()) GTEST_SKIP() << "memory cannot be measured here";
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(compare_with_an_update(GetParam()), ::testing::ExitedWithCode(0), "took");
}

INSTANTIATE_TEST_SUITE_P(Kept, TrainingMemoryOf,
                         ::testing::Values(lm::KeptActivations::All,
                                           lm::KeptActivations::LayerInputs));

TEST(TrainingMemory, GrowsWithWhatIsComputedAtOnce) {
  const lm::ModelConfig config;
  const TrainingMemory one = training_memory(config, {1000, 1, 1});
  const TrainingMemory two = training_memory(config, {2000, 2, 2});
  EXPECT_EQ(two.weights, one.weights);
  EXPECT_EQ(two.moments, one.moments);
  EXPECT_EQ(two.gradients, 2 * one.gradients);
  EXPECT_EQ(two.activations, 4 * one.activations);
  const TrainingMemory again =
      training_memory(config, {1000, 1, 1, lm::KeptActivations::LayerInputs});
  EXPECT_LT(again.activations, one.activations * 6 / 10);
}

}  // namespace
}  // namespace allot
