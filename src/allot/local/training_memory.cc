#include "allot/local/training_memory.h"

#include <algorithm>

#include "allot/core/error.h"

namespace allot {
namespace {

constexpr std::int64_t kNumber = sizeof(float);
constexpr std::int64_t kChunkNumbers = std::int64_t{1} << 22;  // of logits; lm/score_chunks.cc
constexpr std::int64_t kFewestChunkRows = 64;

std::string megabytes(std::int64_t bytes) { return std::to_string(bytes / 1000000) + " MB"; }

}  // namespace

TrainingMemory training_memory(const lm::ModelConfig& config, const TrainingShape& shape) {
  const std::int64_t parameters = config.parameter_count() * kNumber;
  const std::int64_t q = std::int64_t{config.heads} * config.head_dim;
  const std::int64_t qkv = q + 2 * std::int64_t{config.kv_heads} * config.head_dim;
  const std::int64_t dim = config.dim, ffn = config.ffn;
  // Per row and layer: both norms' sums and outputs, queries, keys and values (before their norms,
  // too), what was attended, gate and up.
  std::int64_t kept = 4 * dim + qkv + q + 2 * ffn + config.heads + 2;
  if (config.qk_norm) kept += qkv + config.heads + config.kv_heads;
  const std::int64_t row_scratch = ffn + 4 * dim + q + qkv;
  const std::int64_t layer_weights = dim * std::max(qkv, 2 * ffn);
  const std::int64_t chunk = std::max(kChunkNumbers, kFewestChunkRows * config.vocab);
  const std::int64_t logits =
      std::min(chunk, shape.rows * config.vocab) + std::min(chunk, shape.rows * config.vocab) / 4;

  TrainingMemory out;
  out.weights = parameters;
  out.gradients = parameters * (shape.shards + shape.workers);
  out.moments = 2 * parameters;
  const std::int64_t of_layers = shape.kept == lm::KeptActivations::All
                                     ? config.layers * kept
                                     : config.layers * (2 * dim + 1) + kept;
  out.activations = kNumber * shape.workers * shape.rows * (of_layers + 3 * dim);
  out.scratch = kNumber * shape.workers * (shape.rows * row_scratch + 2 * layer_weights + logits);
  return out;
}

std::string TrainingMemory::to_string() const {
  return concat("weights ", megabytes(weights), " + gradients ", megabytes(gradients),
                " + moments ", megabytes(moments), " + activations ", megabytes(activations),
                " + scratch ", megabytes(scratch), " = ", megabytes(total()));
}

}  // namespace allot
