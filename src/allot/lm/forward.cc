// The transformer over packed rows: embedding, layers, last norm. What differs between the fused
// and the reference path hides behind ForwardOps; matrix products are the library's in both.
#include "allot/lm/forward.h"

#include <cmath>

#include <ATen/ops/embedding.h>
#include <ATen/ops/linear.h>

#include "allot/core/error.h"
#include "allot/lm/autograd_functions.h"
#include "allot/lm/forward_ops.h"
#include "allot/lm/index_tensor.h"
#include "allot/lm/score_chunks.h"

namespace allot::lm {
namespace {

void require(bool holds, std::int64_t at, const char* needed) {
  if (!holds) throw Error(ErrorKind::Internal, "packed rows", concat("entry ", at, ": ", needed));
}

// The promises of packed_rows.h, which the kernels rely on to stay inside their memory.
void check(const PackedRows& rows, const ModelConfig& config) {
  const std::int64_t n = rows.rows();
  require(n >= 1 && n < std::int64_t{1} << 31, n, "1 to 2^31 - 1 rows are needed");
  require(rows.positions.size() == rows.tokens.size(), n, "as many positions as tokens are needed");
  require(rows.target_row.size() == rows.target_token.size(), rows.targets(),
          "as many target rows as target tokens are needed");
  for (std::int64_t i = 0; i < n; ++i) {
    require(rows.tokens[i] >= 0 && rows.tokens[i] < config.vocab, i,
            "a token outside of the vocabulary");
  }
  std::int64_t reached = 0;
  for (std::size_t s = 0; s < rows.segments.size(); ++s) {
    const Segment& segment = rows.segments[s];
    const std::int64_t at = static_cast<std::int64_t>(s);
    require(segment.start == reached && segment.length >= 1 && segment.length <= n - reached, at,
            "segments follow each other and have at least one row");
    require(segment.prefix_start >= 0 && segment.prefix_length >= 0 &&
                std::int64_t{segment.prefix_start} + segment.prefix_length <= segment.start,
            at, "the prefix of a segment lies before it");
    require(std::int64_t{segment.prefix_length} + segment.length <= config.context, at,
            "a segment is longer than the context");
    for (std::int32_t i = 0; i < segment.length; ++i) {
      require(rows.positions[segment.start + i] == segment.prefix_length + i, segment.start + i,
              "positions count up from the length of the prefix");
    }
    reached += segment.length;
  }
  require(reached == n, reached, "segments cover all rows");
}

void check(Kernels kernels, const Model& model) {
  if (kernels == Kernels::Fused && !has_fused_kernels(model)) {
    throw Error(ErrorKind::Internal, "forward",
                "fused kernels were asked for; they need a CPU model in float or double",
                "ask has_fused_kernels() first");
  }
}

// Rows up to the next step, each a segment by itself that nothing uses.
PackedRows filled_up(PackedRows rows) {
  for (std::int64_t n = rows.rows(); n % kRowStep != 0; ++n) {
    rows.segments.push_back({.start = static_cast<std::int32_t>(n), .length = 1});
    rows.tokens.push_back(0);
    rows.positions.push_back(0);
  }
  return rows;
}

at::Tensor attention_block(const ModelConfig& config, const Layer& layer, const at::Tensor& x,
                           ForwardOps& ops) {
  at::Tensor q = at::linear(x, layer.q, layer.q_bias);
  at::Tensor k = at::linear(x, layer.k, layer.k_bias);
  const at::Tensor v = at::linear(x, layer.v, layer.v_bias);
  if (config.qk_norm) {
    q = ops.norm(q.view({-1, config.head_dim}), layer.q_norm).view(q.sizes());
    k = ops.norm(k.view({-1, config.head_dim}), layer.k_norm).view(k.sizes());
  }
  return at::linear(ops.attention(q, k, v), layer.o);
}

at::Tensor feed_forward(const Layer& layer, const at::Tensor& x, ForwardOps& ops) {
  return at::linear(ops.swiglu(at::linear(x, layer.gate), at::linear(x, layer.up)), layer.down);
}

}  // namespace

bool has_fused_kernels(const Model& model) {
  return model.device().is_cpu() && (model.dtype() == at::kFloat || model.dtype() == at::kDouble);
}

at::Tensor hidden_states(const Model& model, const PackedRows& given, Kernels kernels) {
  const ModelConfig& config = model.config();
  check(given, config);
  check(kernels, model);
  const PackedRows rows = filled_up(given);
  const auto ops =
      kernels == Kernels::Fused ? make_fused_ops(model, rows) : make_reference_ops(model, rows);

  at::Tensor x = at::embedding(model.embedding, index_tensor(rows.tokens, model.device()));
  at::Tensor normed = ops->norm(x, model.layers[0].input_norm);
  for (int i = 0; i < config.layers; ++i) {
    const Layer& layer = model.layers[i];
    const ResidualNorm middle =
        ops->residual_norm(x, attention_block(config, layer, normed, *ops), layer.post_norm);
    const at::Tensor& next_norm =
        i + 1 < config.layers ? model.layers[i + 1].input_norm : model.final_norm;
    const ResidualNorm end =
        ops->residual_norm(middle.sum, feed_forward(layer, middle.out, *ops), next_norm);
    x = end.sum;
    normed = end.out;
  }
  return normed.narrow(0, 0, given.rows());
}

TokenScores score_targets(const Model& model, const at::Tensor& hidden, const PackedRows& rows,
                          double temperature, Kernels kernels) {
  check(kernels, model);
  require(
      hidden.dim() == 2 && hidden.size(0) == rows.rows() && hidden.size(1) == model.config().dim,
      rows.rows(), "hidden states [rows, dim] are needed");
  require(std::isfinite(temperature) && temperature > 0, 0, "a positive temperature is needed");
  require(rows.target_row.size() == rows.target_token.size(), rows.targets(),
          "as many target rows as target tokens are needed");
  for (std::int64_t i = 0; i < rows.targets(); ++i) {
    require(rows.target_row[i] >= 0 && rows.target_row[i] < rows.rows(), i,
            "a target's row lies outside of the rows");
    require(rows.target_token[i] >= 0 && rows.target_token[i] < model.config().vocab, i,
            "a target's token lies outside of the vocabulary");
  }
  return chunked_scores(
      hidden, model.head,
      make_score_chunks(rows, model.config().vocab, temperature, model.device(), kernels));
}

}  // namespace allot::lm
