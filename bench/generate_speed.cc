// Generation alone: 64 prompts x 16 responses, prompt 16 + 48 new tokens, by model size, number of
// workers and places per worker. Prints wall and processor seconds and the share of the peak of the
// packed matrix product, which is measured next to each row.
//
//   bench/generate_speed [S|M|L] [repeats]
//
// The share counts weight products only (2 P per generated token and prefilled position, P =
// parameters that are multiplied), not attention. Processor seconds stand a busy machine, wall
// seconds do not; the best of the repeats is printed.
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <string>
#include <vector>

#include "allot/lm/generator.h"
#include "allot/lm/kernels/packed_gemm.h"
#include "program.h"

namespace allot::lm {
namespace {

constexpr int kPrompts = 64, kGroup = 16, kPromptTokens = 16, kNewTokens = 48;

double processor_seconds() {
  timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

ModelConfig config_of(const std::string& size) {
  ModelConfig config;
  if (size == "M") {
    config = {.dim = 192, .layers = 4, .heads = 6, .kv_heads = 2, .head_dim = 32, .ffn = 512};
  } else if (size == "L") {
    config = {.dim = 320, .layers = 6, .heads = 10, .kv_heads = 2, .head_dim = 32, .ffn = 832};
  }
  return config;
}

// The packed product of 960 x 960 matrices in float, operations per processor second of one thread.
double peak(int repeats) {
  constexpr int kSize = 960;
  std::vector<float> weight(kSize * kSize, 0.5f), a(kSize * kSize, 0.25f);
  std::vector<const float*> outputs;
  for (int j = 0; j < kSize; ++j) outputs.push_back(weight.data() + j * kSize);
  const auto packed = kernels::pack_matrix<float>(outputs, kSize, nullptr);
  const int width = packed.columns();
  std::vector<float> c(static_cast<std::size_t>(kSize) * width);
  double best = 1e9;
  for (int i = 0; i < repeats; ++i) {
    const double start = processor_seconds();
    kernels::packed_multiply(a.data(), kSize, kSize, packed, c.data(), width);
    best = std::min(best, processor_seconds() - start);
  }
  return 2.0 * kSize * kSize * kSize / best;
}

std::vector<GenerationRequest> make_requests(int vocab) {
  std::vector<GenerationRequest> requests;
  RandomStream random({.seed = 1, .use = RandomUse::Test});
  for (int p = 0; p < kPrompts; ++p) {
    GenerationRequest request;
    request.id = static_cast<std::uint64_t>(p) * kGroup;
    request.n = kGroup;
    for (int t = 0; t < kPromptTokens; ++t) {
      request.prompt.push_back(static_cast<std::int32_t>(random.below(vocab)));
    }
    request.random.prompt = static_cast<std::uint64_t>(p);
    request.max_new = kNewTokens;
    requests.push_back(request);
  }
  return requests;
}

void measure(const Model& model, GeneratorOptions options, int repeats) {
  double products = 0;
  for (const NamedTensor& parameter : model.parameters()) {
    if (parameter.tensor.dim() == 2) products += static_cast<double>(parameter.tensor.numel());
  }
  const auto requests = make_requests(model.config().vocab);
  Generator generator(model, options);
  double wall = 1e9, processor = 1e9, fastest = 0;
  GenerationCost cost;
  for (int i = 0; i < repeats; ++i) {
    const double wall_start = bench::now(), processor_start = processor_seconds();
    generator.weights_changed();  // packing the weights is part of a step
    cost = generator.run(requests, [](GeneratedSequence&&) { return true; });
    wall = std::min(wall, bench::now() - wall_start);
    processor = std::min(processor, processor_seconds() - processor_start);
    fastest = std::max(fastest, peak(3));
  }
  const double rate = 2 * products * static_cast<double>(cost.generated + cost.prefilled);
  std::printf("%7d %6d %9.3f %9.3f %11.0f %9.0f %8.1f %%\n", options.workers, options.slots, wall,
              processor, static_cast<double>(cost.generated) / wall, rate / processor / 1e9,
              100 * rate / processor / fastest);
  std::fflush(stdout);
}

}  // namespace
}  // namespace allot::lm

int main(int argc, char** argv) {
  std::string size = "S";
  int repeats = 5;
  CLI::App app("Speed of generation by workers and slots.");
  app.add_option("size", size, "of the model")->check(CLI::IsMember({"S", "M", "L"}));
  app.add_option("repeats", repeats, "runs, of which the fastest counts")
      ->check(CLI::Range(1, 1 << 30));
  return allot::bench::run_program(app, argc, argv, [&] {
    using namespace allot::lm;
    const Model model = Model::random(config_of(size), 1, at::kFloat, at::kCPU);
    std::printf("size %s, %lld parameters\n", size.c_str(), model.config().parameter_count());
    std::printf("workers  slots    wall s   proc. s    tokens/s  GFLOP/s  of peak\n");
    for (const int workers : {1, 2})
      for (const int slots : {12, 24, 48, 64, 128}) measure(model, {workers, slots}, repeats);
  });
}
