// The reference path: library operations only, on every device and in every floating type.
//
// Attention gathers the segments into padded batches. Segments whose lengths have the same number
// of binary digits share a batch, so that at most half of it is padding. Key j of a segment is row
// j of its prefix, then its own rows; query i sees keys j <= prefix_length + i.
#include "allot/lm/forward_reference.h"

#include <algorithm>
#include <bit>
#include <map>
#include <vector>

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/silu.h>

#include "allot/lm/index_tensor.h"
#include "allot/lm/kernels/rope.h"

namespace allot::lm {
namespace {

// Segments that attend in one padded batch of `count` sequences.
struct Batch {
  std::int64_t count = 0, queries = 0, keys = 0;
  at::Tensor query_rows;  // [count * queries], padding repeats a row
  at::Tensor key_rows;    // [count * keys]
  at::Tensor mask;        // [count, 1, queries, keys], true where attended
};

Batch make_batch(const std::vector<Segment>& segments, at::Device device) {
  Batch batch;
  batch.count = static_cast<std::int64_t>(segments.size());
  std::vector<std::int64_t> prefixes;
  for (const Segment& s : segments) {
    batch.queries = std::max<std::int64_t>(batch.queries, s.length);
    batch.keys = std::max<std::int64_t>(batch.keys, std::int64_t{s.prefix_length} + s.length);
    prefixes.push_back(s.prefix_length);
  }
  std::vector<std::int64_t> query_rows, key_rows;
  for (const Segment& s : segments) {
    for (std::int64_t i = 0; i < batch.queries; ++i) {
      query_rows.push_back(s.start + std::min<std::int64_t>(i, s.length - 1));
    }
    for (std::int64_t j = 0; j < batch.keys; ++j) {
      const std::int64_t own = std::min<std::int64_t>(j - s.prefix_length, s.length - 1);
      key_rows.push_back(own < 0 ? s.prefix_start + j : s.start + own);
    }
  }
  batch.query_rows = index_tensor(query_rows, device);
  batch.key_rows = index_tensor(key_rows, device);
  const auto numbers = at::TensorOptions(device).dtype(at::kLong);
  const at::Tensor query = at::arange(batch.queries, numbers).view({1, 1, -1, 1});
  const at::Tensor key = at::arange(batch.keys, numbers).view({1, 1, 1, -1});
  batch.mask = key <= query + index_tensor(prefixes, device).view({-1, 1, 1, 1});
  return batch;
}

struct ResidualNorm {
  at::Tensor sum;  // x + delta
  at::Tensor out;  // RMSNorm of it
};

// What the rows of one call need: gather indices and angles.
class Operations {
 public:
  Operations(const Model& model, const PackedRows& rows) : config_(model.config()) {
    std::map<int, std::vector<Segment>> by_length;
    for (const Segment& s : rows.segments) {
      by_length[std::bit_width(static_cast<std::uint32_t>(s.length))].push_back(s);
    }
    std::vector<std::int64_t> place(rows.rows());  // of each row in the batches laid end to end
    std::int64_t offset = 0;
    for (const auto& [digits, segments] : by_length) {
      batches_.push_back(make_batch(segments, model.device()));
      for (const Segment& s : segments) {
        for (std::int64_t i = 0; i < s.length; ++i) place[s.start + i] = offset + i;
        offset += batches_.back().queries;
      }
    }
    place_ = index_tensor(place, model.device());
    make_angles(model, rows);
  }

  // RMSNorm over the last dimension. x [n, size], weight [size].
  at::Tensor norm(const at::Tensor& x, const at::Tensor& weight) const {
    return x * at::rsqrt(x.square().mean(-1, true) + config_.norm_eps) * weight;
  }

  ResidualNorm residual_norm(const at::Tensor& x, const at::Tensor& delta,
                             const at::Tensor& weight) const {
    const at::Tensor sum = x + delta;
    return {sum, norm(sum, weight)};
  }

  // RoPE on q and k, then causal attention over segments and their prefixes.
  // q [rows, heads*head_dim]; k, v [rows, kv_heads*head_dim] -> [rows, heads*head_dim].
  at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) const {
    const at::Tensor queries = rotated(q.view({q.size(0), config_.heads, config_.head_dim}));
    const at::Tensor keys = rotated(k.view({k.size(0), config_.kv_heads, config_.head_dim}));
    const at::Tensor values = v.view({v.size(0), config_.kv_heads, config_.head_dim});
    std::vector<at::Tensor> outputs;
    for (const Batch& batch : batches_) {
      outputs.push_back(at::scaled_dot_product_attention(
                            gathered(queries, batch.query_rows, batch.count, 1),
                            gathered(keys, batch.key_rows, batch.count, group()),
                            gathered(values, batch.key_rows, batch.count, group()), batch.mask)
                            .transpose(1, 2)
                            .reshape({batch.count * batch.queries, -1}));
    }
    return at::cat(outputs).index_select(0, place_);
  }

 private:
  std::int64_t group() const { return config_.heads / config_.kv_heads; }

  // cos and sin of every row's angles, [rows, 1, head_dim / 2].
  void make_angles(const Model& model, const PackedRows& rows) {
    const int positions = *std::max_element(rows.positions.begin(), rows.positions.end()) + 1;
    const kernels::RopeTable<double> table(positions, rope_frequencies(config_));
    const std::int64_t half = table.half;
    at::Tensor cos = at::empty({rows.rows(), 1, half}, at::kDouble), sin = at::empty_like(cos);
    for (std::int64_t r = 0; r < rows.rows(); ++r) {
      const int position = rows.positions[r];
      std::copy_n(table.cos_at(position), half, cos.data_ptr<double>() + r * half);
      std::copy_n(table.sin_at(position), half, sin.data_ptr<double>() + r * half);
    }
    const auto options = at::TensorOptions(model.device()).dtype(model.dtype());
    cos_ = cos.to(options);
    sin_ = sin.to(options);
  }

  // x [rows, heads, head_dim].
  at::Tensor rotated(const at::Tensor& x) const {
    const std::int64_t half = config_.head_dim / 2;
    const at::Tensor a = x.narrow(-1, 0, half), b = x.narrow(-1, half, half);
    return at::cat({a * cos_ - b * sin_, b * cos_ + a * sin_}, -1);
  }

  // Rows of x [rows, heads, head_dim] as [count, heads * repeats, length, head_dim].
  static at::Tensor gathered(const at::Tensor& x, const at::Tensor& index, std::int64_t count,
                             std::int64_t repeats) {
    const at::Tensor batch =
        x.index_select(0, index).view({count, -1, x.size(1), x.size(2)}).transpose(1, 2);
    return repeats == 1 ? batch : batch.repeat_interleave(repeats, 1);
  }

  const ModelConfig config_;
  std::vector<Batch> batches_;
  at::Tensor place_, cos_, sin_;
};

at::Tensor attention_block(const ModelConfig& config, const Layer& layer, const at::Tensor& x,
                           const Operations& ops) {
  at::Tensor q = at::linear(x, layer.q, layer.q_bias);
  at::Tensor k = at::linear(x, layer.k, layer.k_bias);
  const at::Tensor v = at::linear(x, layer.v, layer.v_bias);
  if (config.qk_norm) {
    q = ops.norm(q.view({-1, config.head_dim}), layer.q_norm).view(q.sizes());
    k = ops.norm(k.view({-1, config.head_dim}), layer.k_norm).view(k.sizes());
  }
  return at::linear(ops.attention(q, k, v), layer.o);
}

at::Tensor feed_forward(const Layer& layer, const at::Tensor& x) {
  return at::linear(at::silu(at::linear(x, layer.gate)) * at::linear(x, layer.up), layer.down);
}

}  // namespace

at::Tensor reference_hidden_states(const Model& model, const PackedRows& rows) {
  const ModelConfig& config = model.config();
  const Operations ops(model, rows);
  at::Tensor x = at::embedding(model.embedding, index_tensor(rows.tokens, model.device()));
  at::Tensor normed = ops.norm(x, model.layers[0].input_norm);
  for (int i = 0; i < config.layers; ++i) {
    const Layer& layer = model.layers[i];
    const ResidualNorm middle =
        ops.residual_norm(x, attention_block(config, layer, normed, ops), layer.post_norm);
    const at::Tensor& next_norm =
        i + 1 < config.layers ? model.layers[i + 1].input_norm : model.final_norm;
    const ResidualNorm end =
        ops.residual_norm(middle.sum, feed_forward(layer, middle.out), next_norm);
    x = end.sum;
    normed = end.out;
  }
  return normed;
}

}  // namespace allot::lm
