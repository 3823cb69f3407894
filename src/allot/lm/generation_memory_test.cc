// Against the sizes of what is really made, and the growth of the process.
#include "allot/lm/generation_memory.h"

#include <algorithm>
#include <fstream>
#include <string>

#include <gtest/gtest.h>
#include <malloc.h>

#include "allot/core/error.h"
#include "allot/lm/allocator.h"
#include "allot/lm/decode_weights.h"
#include "allot/lm/kernels/decode_net.h"
#include "allot/lm/testing/examples.h"

namespace allot::lm {
namespace {

using kernels::Bf16;

double resident_mb() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("VmRSS:", 0) == 0) return std::stod(line.substr(6)) / 1024;
  }
  return 0;
}

template <class W>
void expect_sizes_of(const ModelConfig& config, at::ScalarType type) {
  const Model model = lively_model(config, 8, type);
  const auto net = kernels::make_decode_net(config, weight_pointers<W>(model));
  EXPECT_LE(net->bytes(), kernels::packed_bytes<W>(config));
  EXPECT_GE(net->bytes() * 4, kernels::packed_bytes<W>(config));  // tiny models: padding
  const kernels::DecodeScratch<W> s(config, 5, 3);
  const std::size_t made = (s.residual.size() + s.qkv.size() + s.query.size() + s.logits.size()) *
                               sizeof(kernels::Real<W>) +
                           (s.normed.size() + s.mixed.size() + s.inner.size()) * sizeof(W);
  EXPECT_NEAR(static_cast<double>(made),
              static_cast<double>(kernels::DecodeScratch<W>::bytes(config, 5, 3)), 256);
}

TEST(GenerationMemory, CountsWhatIsMade) {
  for (const auto& [name, config] : example_configs()) {
    SCOPED_TRACE(name);
    expect_sizes_of<float>(config, at::kFloat);
    expect_sizes_of<double>(config, at::kDouble);
    expect_sizes_of<Bf16>(config, at::kBFloat16);
  }
}

TEST(GenerationMemory, CountsTheRoundedCopy) {
  const ModelConfig config;
  const GenerationShape shape{.sequences = 8, .prompt = 4, .new_tokens = 4};
  const auto count = static_cast<std::size_t>(config.parameter_count());
  const GenerationMemory half = estimate_generation_memory(config, at::kBFloat16, {}, shape);
  const GenerationMemory rounded =
      estimate_generation_memory(config, at::kFloat, {.type = DecodeType::Bf16}, shape);
  EXPECT_EQ(half.rounded, 0u);
  EXPECT_EQ(rounded.weights, 4 * count);
  EXPECT_EQ(rounded.rounded, half.weights);
  EXPECT_EQ(rounded.total(), half.total() + 4 * count);
}

// A model of some 25 M parameters, so that its parts stand out from the rest of the process.
TEST(GenerationMemory, PredictsTheGrowthOfTheProcess) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "the address sanitizer keeps freed memory";
#endif
  const ModelConfig config{.vocab = 20000,
                           .dim = 256,
                           .layers = 8,
                           .heads = 8,
                           .kv_heads = 4,
                           .head_dim = 32,
                           .ffn = 2048,
                           .context = 512};
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    const Model model = Model::random(config, 1, type, at::kCPU);
    malloc_trim(0);  // what making the model left behind
    const double start = resident_mb();
    GenerationRequest request;
    request.n = 48;
    request.prompt.assign(32, 3);
    request.max_new = 24;
    const GeneratorOptions options{2, 32};
    Generator generator(model, options);
    double peak = 0;
    generator.run({request}, [&](GeneratedSequence&&) {
      peak = std::max(peak, resident_mb());
      return true;
    });
    const GenerationMemory memory =
        estimate_generation_memory(config, type, options, {48, 48, 32, 24});
    const double wanted = static_cast<double>(memory.total() - memory.weights) / (1 << 20);
    EXPECT_NEAR(peak - start, wanted, 0.15 * wanted + 4) << at::toString(type);
  }
}

TEST(GenerationMemory, RefusesOtherTypes) {
  EXPECT_THROW(estimate_generation_memory({}, at::kHalf, {}, {1, 1, 1, 1}), Error);
}

}  // namespace
}  // namespace allot::lm
