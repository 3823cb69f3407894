#include "allot/app/memory_check.h"

#include <filesystem>

#include <gtest/gtest.h>

#include "allot/core/durable_file.h"
#include "allot/core/error.h"
#include "allot/core/testing/temporary_folder.h"
#include "allot/text/char_tokenizer.h"

namespace allot {
namespace {

// 72.7 billion parameters, as the largest Qwen2.5.
constexpr const char* kLargeModel = R"({
  "architectures": ["Qwen2ForCausalLM"], "hidden_size": 8192, "intermediate_size": 29568,
  "max_position_embeddings": 32768, "num_attention_heads": 64, "num_hidden_layers": 80,
  "num_key_value_heads": 8, "rms_norm_eps": 1e-06, "rope_theta": 1000000.0,
  "tie_word_embeddings": false, "vocab_size": 152064, "hidden_act": "silu"})";

TEST(MemoryCheck, CountsWhatTrainingAndSamplingHold) {
  RunConfig config;
  const lm::ModelConfig model = config.model.shape(64);
  const RunShape shape{20, 40, 256};
  const RunMemory full = run_memory(config, model, shape);
  const auto numbers = static_cast<std::uint64_t>(model.parameter_count());
  EXPECT_EQ(full.weights, 4 * numbers);
  EXPECT_EQ(full.moments, 8 * numbers);
  EXPECT_GE(full.packed, 4 * numbers - 4 * 64 * 96);  // all matrices, the head among them
  EXPECT_EQ(
      full.gradients,
      4 * numbers * static_cast<std::uint64_t>(config.learner.shards + config.learner.workers));
  config.loss.preset = "capo";  // models Adam's moments of the head, of 64 tokens here
  EXPECT_EQ(run_memory(config, model, shape).moments,
            full.moments + 8 * 64 * static_cast<std::uint64_t>(model.dim));
  config.loss.preset = "dapo";
  config.model.dtype = WeightType::Bf16;
  const RunMemory rounded = run_memory(config, model, shape);
  EXPECT_EQ(rounded.weights, 6 * numbers);
  EXPECT_LT(rounded.packed, full.packed);
  config.model.dtype = WeightType::F32;
  config.model.lora.r = 2;
  const RunMemory adapter = run_memory(config, model, shape);
  EXPECT_LT(adapter.moments, full.moments / 10);
  EXPECT_GT(adapter.weights, full.weights);
  config.engine.dtype = lm::DecodeType::Bf16;
  EXPECT_EQ(run_memory(config, model, shape).weights, adapter.weights + 2 * numbers);
  config.sampler.engine = EngineKind::Server;
  EXPECT_EQ(run_memory(config, model, shape).caches, 0u);
}

TEST(MemoryCheck, RefusesWhatCannotFitBeforeLoadingIt) {
  const testing::TemporaryFolder folder;
  replace_file(folder / "config.json", kLargeModel);
  RunConfig config;
  const Task task = make_task(config.data, 0);
  const CharTokenizer tokenizer(task.alphabet);
  check_fits(config, task, tokenizer);  // the built-in shape
  config.model.path = folder.path();
  try {
    check_fits(config, task, tokenizer);
    ADD_FAILURE() << "290 GB of weights were taken to fit";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Model);
    EXPECT_NE(std::string(error.what()).find("weights 290"), std::string::npos) << error.what();
  }
  config.model.device = ModelDevice::Cuda;  // whose memory is another one
  check_fits(config, task, tokenizer);
}

TEST(MemoryCheck, KnowsThisMachine) { EXPECT_GT(available_memory(), 1'000'000u); }

}  // namespace
}  // namespace allot
