#include "allot/local/prompt_embedding.h"

#include <cmath>
#include <numeric>

#include <ATen/core/grad_mode.h>

#include "allot/lm/forward.h"
#include "allot/local/shards.h"

namespace allot {
namespace {

using Vector = std::vector<float>;

constexpr std::size_t kRowsAtATime = 4096;

// Prompts [first, first + count), computed together.
struct Batch {
  std::size_t first = 0, count = 0;
};

std::vector<Batch> batches_of(std::span<const std::vector<std::int32_t>> prompts) {
  std::vector<Batch> batches;
  std::size_t rows = kRowsAtATime;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    if (rows + prompts[i].size() > kRowsAtATime) {
      batches.push_back({i, 0});
      rows = 0;
    }
    rows += prompts[i].size();
    ++batches.back().count;
  }
  return batches;
}

lm::PackedRows rows_of(std::span<const std::vector<std::int32_t>> prompts) {
  lm::PackedRows rows;
  for (const auto& prompt : prompts) {
    const auto length = static_cast<std::int32_t>(prompt.size());
    rows.segments.push_back({.start = static_cast<std::int32_t>(rows.rows()), .length = length});
    rows.tokens.insert(rows.tokens.end(), prompt.begin(), prompt.end());
    for (std::int32_t i = 0; i < length; ++i) rows.positions.push_back(i);
  }
  return rows;
}

void embed_batch(const lm::Model& model, std::span<const std::vector<std::int32_t>> prompts,
                 std::span<Vector> out) {
  const at::NoGradGuard no_grad;
  const lm::PackedRows rows = rows_of(prompts);
  const lm::Kernels kernels =
      lm::has_fused_kernels(model) ? lm::Kernels::Fused : lm::Kernels::Reference;
  const at::Tensor hidden = lm::hidden_states(model, rows, kernels);
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    const lm::Segment& segment = rows.segments[i];
    const at::Tensor mean = hidden.narrow(0, segment.start, segment.length)
                                .mean(0, /*keepdim=*/false, at::kFloat)
                                .to(at::kCPU)
                                .contiguous();
    out[i].assign(mean.const_data_ptr<float>(), mean.const_data_ptr<float>() + mean.numel());
  }
}

void centre_and_scale(std::vector<Vector>& vectors) {
  std::vector<double> centre(vectors.front().size(), 0);
  for (const Vector& v : vectors)
    for (std::size_t k = 0; k < v.size(); ++k)
      centre[k] += v[k] / static_cast<double>(vectors.size());
  for (Vector& v : vectors) {
    double squares = 0;
    for (std::size_t k = 0; k < v.size(); ++k) {
      v[k] -= static_cast<float>(centre[k]);
      squares += double{v[k]} * v[k];
    }
    const double scale = squares > 1e-20 ? 1 / std::sqrt(squares) : 0;
    for (float& x : v) x = static_cast<float>(x * scale);
  }
}

}  // namespace

std::vector<std::vector<float>> embed_by_model(const lm::Model& model,
                                               std::span<const std::vector<std::int32_t>> prompts,
                                               int workers) {
  std::vector<Vector> vectors(prompts.size());
  if (prompts.empty()) return vectors;
  const std::vector<Batch> batches = batches_of(prompts);
  for_each_shard(static_cast<int>(batches.size()), workers_for(model, workers), [&](int b) {
    const Batch& batch = batches[static_cast<std::size_t>(b)];
    embed_batch(model, prompts.subspan(batch.first, batch.count),
                std::span(vectors).subspan(batch.first, batch.count));
  });
  centre_and_scale(vectors);
  return vectors;
}

}  // namespace allot
