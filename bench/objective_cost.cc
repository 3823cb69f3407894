// What the loss costs beside the matrix products: head and objective of one micro-batch of a model
// of Qwen2-0.5B's shape (vocabulary 151,936), on one thread.
//
//   bench/objective_cost [--tokens 1024] [--layers 2] [--rounds 3]
//
// Head: log-probabilities and entropies by chunks, the loss in double precision, and back to the
// hidden states and the head's weights. Of that the products are the four of each chunk, repeated
// alone; what is left is set against a whole training step, whose layers are measured as what
// --layers of them add to a model of one, and taken for all 24. Seconds are of the thread's CPU,
// contenders in turn, medians. Memory is the process's peak during the head, less the weights'
// gradient, in buffers of [chunk, vocab].
#include <cmath>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros_like.h>

#include "allot/core/random.h"
#include "allot/lm/forward.h"
#include "allot/lm/matmul.h"
#include "allot/objective/reference.h"
#include "program.h"

namespace allot {
namespace {

using objective::LossRow;

constexpr int kVocab = 151936, kLayers = 24, kResponse = 64;
constexpr std::int64_t kChunkRows = 64;  // of lm/score_chunks.cc at this vocabulary

lm::ModelConfig shape(int layers) {
  lm::ModelConfig config;
  config.vocab = kVocab;
  config.dim = 896;
  config.layers = layers;
  config.heads = 14;
  config.kv_heads = 2;
  config.head_dim = 64;
  config.ffn = 4864;
  config.qkv_bias = true;
  config.tied_embedding = false;  // so that the head's gradient is its own
  config.context = 2 * kResponse;
  return config;
}

// Prompts of one token with a response each.
lm::PackedRows packed(int tokens) {
  RandomStream random({.seed = 1, .use = RandomUse::Test});
  lm::PackedRows rows;
  for (int first = 0; first < tokens; first += kResponse) {
    rows.segments.push_back({static_cast<std::int32_t>(rows.rows()), kResponse, 0, 0});
    for (int t = 0; t < kResponse; ++t) {
      rows.target_row.push_back(static_cast<std::int32_t>(rows.rows()));
      rows.target_token.push_back(static_cast<std::int32_t>(random.below(kVocab)));
      rows.tokens.push_back(static_cast<std::int32_t>(random.below(kVocab)));
      rows.positions.push_back(t);
    }
  }
  return rows;
}

double thread_seconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

template <class Work>
double seconds_of(Work work) {
  const double start = thread_seconds();
  work();
  return thread_seconds() - start;
}

std::vector<double> host(const at::Tensor& tensor) {
  const at::Tensor wide = tensor.detach().to(at::kDouble).contiguous();
  const double* first = wide.const_data_ptr<double>();
  return {first, first + wide.numel()};
}

at::Tensor as_tensor(std::vector<std::vector<double>> rows) {
  std::vector<double> all;
  for (const auto& row : rows) all.insert(all.end(), row.begin(), row.end());
  return at::from_blob(all.data(), {static_cast<std::int64_t>(all.size())}, at::kDouble)
      .to(at::TensorOptions().dtype(at::kFloat), false, true);
}

std::vector<LossRow> loss_rows(const std::vector<double>& logprob,
                               const std::vector<double>& entropy) {
  std::vector<LossRow> rows;
  for (std::size_t first = 0; first < logprob.size(); first += kResponse) {
    const auto at = static_cast<std::ptrdiff_t>(first);
    LossRow row;
    row.group = static_cast<std::uint32_t>(rows.size() / 8);
    row.advantage = rows.size() % 2 == 0 ? 1 : -1;
    row.logprob.assign(logprob.begin() + at, logprob.begin() + at + kResponse);
    row.entropy.assign(entropy.begin() + at, entropy.begin() + at + kResponse);
    row.old = row.logprob;
    for (std::size_t t = 0; t < row.old.size(); ++t) row.old[t] += .2 * std::sin(17. * t);
    row.rollout = row.reference = row.old;
    rows.push_back(std::move(row));
  }
  return rows;
}

// Returns the seconds of the objective alone, which are part of the head's.
double head_and_loss(const lm::Model& view, const at::Tensor& hidden, const lm::PackedRows& rows,
                     const objective::LossOptions& loss) {
  const lm::TokenScores scores = lm::score_targets(view, hidden, rows, 1, lm::Kernels::Fused);
  objective::LossResult result;
  const double seconds = seconds_of([&] {
    const auto made = loss_rows(host(scores.logprob), host(scores.entropy));
    result = objective::reference_loss(loss, {objective::Aggregation::TokenMean}, made);
  });
  at::Tensor sum = (scores.logprob * as_tensor(result.gradient)).sum();
  if (!result.entropy_gradient.empty())
    sum = sum + (scores.entropy * as_tensor(result.entropy_gradient)).sum();
  sum.backward();
  return seconds;
}

// Of the embedding, too.
double seconds_of_layers(const lm::Model& model, const lm::PackedRows& rows) {
  const lm::Model view = model.training_view();
  return seconds_of([&] { lm::hidden_states(view, rows, lm::Kernels::Fused).sum().backward(); });
}

// The products of the head alone: logits twice, and their two gradients.
void products(const lm::Model& model, const at::Tensor& hidden) {
  const at::NoGradGuard no_grad;
  const at::Tensor d_head = at::zeros_like(model.head);
  for (std::int64_t first = 0; first < hidden.size(0); first += kChunkRows) {
    const at::Tensor rows = hidden.narrow(0, first, std::min(kChunkRows, hidden.size(0) - first));
    (void)at::mm(rows, model.head.t());
    const at::Tensor logits = at::mm(rows, model.head.t());
    (void)at::mm(logits, model.head);
    at::Tensor(d_head).addmm_(logits.t(), rows);
  }
}

// Peak megabytes while `work` runs beyond those before it.
template <class Work>
double peak_of(Work work) {
  std::ofstream("/proc/self/clear_refs") << "5";  // forget the peak so far
  const double before = bench::process_megabytes("VmRSS:");
  work();
  return bench::process_megabytes("VmHWM:") - before;
}

void measure(int tokens, int layers, int rounds) {
  const lm::Model model = lm::Model::random(shape(1), 1, at::kFloat, at::kCPU);
  const lm::Model deeper = lm::Model::random(shape(1 + layers), 1, at::kFloat, at::kCPU);
  const lm::PackedRows rows = packed(tokens);
  const at::Tensor inputs = at::randn({rows.rows(), model.config().dim});
  std::vector<double> layer_seconds, product_seconds;
  std::printf("%d tokens, vocabulary %d\n", tokens, kVocab);
  for (int round = 0; round < rounds; ++round) {
    layer_seconds.push_back(seconds_of_layers(deeper, rows) - seconds_of_layers(model, rows));
    product_seconds.push_back(seconds_of([&] { products(model, inputs); }));
  }
  const double all_layers = bench::median(layer_seconds) * kLayers / layers;
  const double alone = bench::median(product_seconds);
  std::printf("layers %.2f s (%d of %d measured), head's products alone %.2f s\n", all_layers,
              layers, kLayers, alone);
  const double buffer = 4e-6 * kChunkRows * kVocab;  // MB
  for (const char* preset : {"dapo", "grpo", "gspo", "cispo", "dppo", "tis", "entropy bonus"}) {
    objective::LossOptions loss;
    const bool bonus = std::string(preset) == "entropy bonus";
    if (bonus)
      loss.entropy_coef = .01;
    else
      loss.preset = preset;
    loss = loss.expanded();
    std::vector<double> head, objective_part;
    double peak = 0;
    for (int round = 0; round < rounds; ++round) {
      const lm::Model view = model.training_view();
      const at::Tensor hidden = inputs.clone().requires_grad_();
      peak = peak_of([&] {
        head.push_back(
            seconds_of([&] { objective_part.push_back(head_and_loss(view, hidden, rows, loss)); }));
      });
    }
    const double whole = bench::median(head), beyond = whole - alone;
    const double gradients = 4e-6 * static_cast<double>(model.head.numel() + inputs.numel());
    std::printf(
        "%-14s head %.2f s, of it the objective %.4f s; beyond products %.2f s = %.1f %% of a "
        "step; peak %.2f buffers\n",
        preset, whole, bench::median(objective_part), beyond, 100 * beyond / (all_layers + whole),
        (peak - gradients) / buffer);
  }
}

}  // namespace
}  // namespace allot

int main(int argc, char** argv) {
  int tokens = 1024, layers = 2, rounds = 3;
  CLI::App app("Cost of head and objective beside their matrix products.");
  app.add_option("--tokens", tokens, "of the micro-batch")->check(CLI::Range(64, 65536));
  app.add_option("--layers", layers, "measured of 24")->check(CLI::Range(1, 24));
  app.add_option("--rounds", rounds, "of each")->check(CLI::Range(1, 100));
  return allot::bench::run_program(app, argc, argv, [&] {
    allot::lm::configure_matmul();
    std::thread worker([&] {
      allot::lm::set_worker_threads();
      allot::measure(tokens, layers, rounds);
    });
    worker.join();
  });
}
