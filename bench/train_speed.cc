// How fast the training half of lm/ is: forward and backward of one step of 64 prompts x 16
// responses (prompt 16 tokens, response 48) on one thread, in micro-batches that share prompts.
//
//   train_speed [S|M|L] [steps]
//
// Prints thread CPU seconds per step, so that neighbours on the machine disturb little, and the
// share of the library's matrix-product peak measured in the same run (flops of the weights: 6 per
// parameter and row; attention is not credited).
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <string>
#include <thread>
#include <vector>

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/randn.h>

#include "allot/core/random.h"
#include "allot/lm/forward.h"
#include "allot/lm/matmul.h"
#include "program.h"

namespace {

using allot::lm::Kernels;
using allot::lm::Model;
using allot::lm::ModelConfig;
using allot::lm::PackedRows;
using allot::lm::Segment;

constexpr int kPrompts = 64, kResponses = 16, kPromptLength = 16, kNew = 48;
constexpr int kPromptsPerMicroBatch = 2;

ModelConfig config_of(const std::string& size) {
  ModelConfig config;
  if (size == "M") {
    config.dim = 192;
    config.layers = 4;
    config.heads = 6;
    config.head_dim = 32;
    config.ffn = 512;
  } else if (size == "L") {
    config.dim = 320;
    config.layers = 6;
    config.heads = 10;
    config.head_dim = 32;
    config.ffn = 832;
  }
  return config;
}

double thread_seconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// GFlop/s of a 960^3 product, best of several.
double peak() {
  const at::NoGradGuard no_grad;
  const at::Tensor a = at::randn({960, 960}), b = at::randn({960, 960});
  double best = 0;
  for (int i = 0; i < 8; ++i) {
    const double start = thread_seconds();
    at::mm(a, b);
    best = std::max(best, 2 * 960.0 * 960.0 * 960.0 / (thread_seconds() - start) / 1e9);
  }
  return best;
}

PackedRows micro_batch(const ModelConfig& config, std::uint64_t number) {
  allot::RandomStream random({.seed = 1, .use = allot::RandomUse::Test, .prompt = number});
  PackedRows rows;
  const auto add_rows = [&](std::int32_t length, std::int32_t prefix, std::int32_t prefix_length) {
    rows.segments.push_back(
        {static_cast<std::int32_t>(rows.rows()), length, prefix, prefix_length});
    for (std::int32_t i = 0; i < length; ++i) {
      rows.tokens.push_back(static_cast<std::int32_t>(random.below(config.vocab)));
      rows.positions.push_back(prefix_length + i);
    }
    return rows.segments.back();
  };
  for (int p = 0; p < kPromptsPerMicroBatch; ++p) {
    const Segment prompt = add_rows(kPromptLength, 0, 0);
    for (int r = 0; r < kResponses; ++r) {
      const Segment own = add_rows(kNew - 1, prompt.start, prompt.length);
      for (int i = 0; i < kNew; ++i) {
        rows.target_row.push_back(i == 0 ? prompt.start + prompt.length - 1 : own.start + i - 1);
        rows.target_token.push_back(static_cast<std::int32_t>(random.below(config.vocab)));
      }
    }
  }
  return rows;
}

void measure(const std::string& size, int steps) {
  const ModelConfig config = config_of(size);
  const Model model = Model::random(config, 1, at::kFloat, at::kCPU);
  const Model view = model.training_view();
  std::vector<PackedRows> batches;
  std::int64_t rows = 0;
  for (int i = 0; i < kPrompts / kPromptsPerMicroBatch; ++i) {
    batches.push_back(micro_batch(config, i));
    rows += batches.back().rows();
  }
  std::printf("size %s: %lld parameters, %lld rows\n", size.c_str(), config.parameter_count(),
              static_cast<long long>(rows));
  const double flops = 6.0 * static_cast<double>(config.parameter_count() * rows);
  for (int step = 0; step < steps; ++step) {
    const double gflops = peak();
    double forward = 0, backward = 0;
    for (const PackedRows& batch : batches) {
      const double start = thread_seconds();
      const at::Tensor hidden = hidden_states(view, batch, Kernels::Fused);
      const at::Tensor loss = score_targets(view, hidden, batch, 1, Kernels::Fused).logprob.mean();
      const double middle = thread_seconds();
      loss.backward();
      forward += middle - start;
      backward += thread_seconds() - middle;
    }
    const double total = forward + backward;
    const double achieved = flops / total / 1e9;
    std::printf(
        "step %.3f s (forward %.3f, backward %.3f), %.0f GFlop/s of %.0f: %.0f %% of peak\n", total,
        forward, backward, achieved, gflops, 100 * achieved / gflops);
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::string size = "S";
  int steps = 3;
  CLI::App app("Forward and backward pass of one training step in one thread.");
  app.add_option("size", size, "of the model")->check(CLI::IsMember({"S", "M", "L"}));
  app.add_option("steps", steps, "timed steps")->check(CLI::Range(1, 1 << 30));
  return allot::bench::run_program(app, argc, argv, [&] {
    const allot::lm::MatmulChoice choice = allot::lm::configure_matmul();
    std::printf("products by %s\n", choice.onednn ? "oneDNN" : "MKL");
    // In a worker thread, as in training: its memory comes from an arena of its own.
    std::thread worker([&] {
      allot::lm::set_worker_threads();
      measure(size, steps);
    });
    worker.join();
  });
}
