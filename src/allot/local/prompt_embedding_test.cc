#include "allot/local/prompt_embedding.h"

#include <cmath>

#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "allot/core/random.h"
#include "allot/lm/forward.h"
#include "allot/local/shards.h"

namespace allot {
namespace {

using Prompts = std::vector<std::vector<std::int32_t>>;

lm::Model model_of(at::ScalarType dtype) {
  lm::ModelConfig config;
  config.vocab = 16, config.dim = 24, config.layers = 2, config.heads = 2, config.kv_heads = 1;
  config.head_dim = 12, config.ffn = 40, config.context = 40;
  return lm::Model::random(config, 3, dtype, at::kCPU);
}

Prompts some_prompts(std::size_t count) {
  RandomStream random({.seed = 5, .use = RandomUse::Test});
  Prompts prompts(count);
  for (auto& prompt : prompts) {
    prompt.resize(1 + random.below(30));
    for (std::int32_t& token : prompt) token = static_cast<std::int32_t>(random.below(16));
  }
  return prompts;
}

// Prompt by prompt, on the reference path in double.
std::vector<std::vector<double>> oracle(const Prompts& prompts) {
  use_one_thread();  // many small products: barriers between threads would take most of the time
  const at::NoGradGuard no_grad;
  const lm::Model model = model_of(at::kDouble);
  std::vector<std::vector<double>> means;
  std::vector<double> centre(24, 0);
  for (const auto& prompt : prompts) {
    lm::PackedRows rows;
    rows.tokens = prompt;
    for (std::size_t i = 0; i < prompt.size(); ++i)
      rows.positions.push_back(static_cast<std::int32_t>(i));
    rows.segments = {{.start = 0, .length = static_cast<std::int32_t>(prompt.size())}};
    const at::Tensor mean =
        lm::hidden_states(model, rows, lm::Kernels::Reference).mean(0).contiguous();
    means.emplace_back(mean.const_data_ptr<double>(), mean.const_data_ptr<double>() + 24);
    for (std::size_t k = 0; k < 24; ++k)
      centre[k] += means.back()[k] / static_cast<double>(prompts.size());
  }
  for (auto& v : means) {
    double squares = 0;
    for (std::size_t k = 0; k < 24; ++k) v[k] -= centre[k], squares += v[k] * v[k];
    for (double& x : v) x /= std::sqrt(squares);
  }
  return means;
}

TEST(PromptEmbedding, IsTheCentredMeanOfHiddenStates) {
  const Prompts prompts = some_prompts(400);  // more than one batch
  const auto expected = oracle(prompts);
  const auto vectors = embed_by_model(model_of(at::kFloat), prompts, 2);
  ASSERT_EQ(vectors.size(), prompts.size());
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    ASSERT_EQ(vectors[i].size(), 24u);
    for (std::size_t k = 0; k < 24; ++k) ASSERT_NEAR(vectors[i][k], expected[i][k], 2e-5) << i;
  }
  EXPECT_EQ(embed_by_model(model_of(at::kFloat), prompts, 1), vectors);
}

TEST(PromptEmbedding, OfNothingAndOfEqualPrompts) {
  EXPECT_TRUE(embed_by_model(model_of(at::kFloat), {}, 2).empty());
  const Prompts equal(3, {1, 2, 3});
  for (const auto& v : embed_by_model(model_of(at::kFloat), equal, 1))
    for (const float x : v) EXPECT_EQ(x, 0);  // nothing tells them apart
}

}  // namespace
}  // namespace allot
