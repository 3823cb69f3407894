#include "allot/lm/reference_decoder.h"

#include <algorithm>
#include <limits>

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include "allot/lm/kernels/rope.h"

namespace allot::lm {
namespace {

at::Tensor rotated(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
  const std::int64_t half = x.size(-1) / 2;
  const at::Tensor a = x.narrow(-1, 0, half), b = x.narrow(-1, half, half);
  return at::cat({a * cos - b * sin, b * cos + a * sin}, -1);
}

}  // namespace

ReferenceCache::ReferenceCache(const Model& model, std::int64_t batch, std::int64_t positions) {
  const ModelConfig& c = model.config();
  for (int l = 0; l < c.layers; ++l) {
    for (auto* list : {&keys, &values}) {
      list->push_back(
          at::zeros({batch, positions, c.kv_heads, c.head_dim}, model.embedding.options()));
    }
  }
}

ReferenceNet::ReferenceNet(const Model& model, std::int64_t positions) : model_(model) {
  const ModelConfig& c = model.config();
  const kernels::RopeTable<double> table(static_cast<int>(positions), rope_frequencies(c));
  const auto on_device = [&](const std::vector<double>& numbers) {
    at::Tensor made = at::empty({positions, table.half}, at::kDouble);
    std::copy(numbers.begin(), numbers.end(), made.data_ptr<double>());
    return made.to(model.embedding.options());
  };
  cos_ = on_device(table.cos);
  sin_ = on_device(table.sin);
}

at::Tensor ReferenceNet::norm(const at::Tensor& x, const at::Tensor& weight) const {
  return x * at::rsqrt(x.square().mean(-1, true) + model_.config().norm_eps) * weight;
}

at::Tensor ReferenceNet::attention(int index, const at::Tensor& h, const at::Tensor& positions,
                                   const Angles& angles, const at::Tensor& mask,
                                   ReferenceCache& cache) const {
  const ModelConfig& c = model_.config();
  const Layer& layer = model_.layers[index];
  const std::int64_t batch = h.size(0), length = h.size(1), reach = mask.size(-1);
  const auto heads = [&](const at::Tensor& weight, const at::Tensor& bias) {
    return at::linear(h, weight, bias).view({batch, length, -1, c.head_dim});
  };
  at::Tensor q = heads(layer.q, layer.q_bias), k = heads(layer.k, layer.k_bias);
  if (c.qk_norm) {
    q = norm(q, layer.q_norm);
    k = norm(k, layer.k_norm);
  }
  const at::Tensor row = at::arange(batch, positions.options()).unsqueeze(1).expand_as(positions);
  cache.keys[index].index_put_({row, positions}, rotated(k, angles.cos, angles.sin));
  cache.values[index].index_put_({row, positions}, heads(layer.v, layer.v_bias));
  const auto seen = [&](const at::Tensor& cached) {  // [batch, heads, reach, head_dim]
    return cached.narrow(1, 0, reach).transpose(1, 2).repeat_interleave(c.heads / c.kv_heads, 1);
  };
  const at::Tensor mixed =
      at::scaled_dot_product_attention(rotated(q, angles.cos, angles.sin).transpose(1, 2),
                                       seen(cache.keys[index]), seen(cache.values[index]), mask);
  return at::linear(mixed.transpose(1, 2).reshape({batch, length, -1}), layer.o);
}

at::Tensor ReferenceNet::forward(const at::Tensor& tokens, const at::Tensor& positions,
                                 std::int64_t reach, ReferenceCache& cache) const {
  const std::int64_t batch = tokens.size(0), length = tokens.size(1);
  // True where query i of a sequence sees the key at a position, [batch, 1, length, reach].
  const at::Tensor mask =
      (at::arange(reach, positions.options()) <= positions.unsqueeze(-1)).unsqueeze(1);
  const at::Tensor flat = positions.reshape({-1});
  const Angles angles{cos_.index_select(0, flat).view({batch, length, 1, -1}),
                      sin_.index_select(0, flat).view({batch, length, 1, -1})};
  at::Tensor x = model_.embedding.index_select(0, tokens.reshape({-1})).view({batch, length, -1});
  for (int l = 0; l < model_.config().layers; ++l) {
    const Layer& layer = model_.layers[l];
    x = x + attention(l, norm(x, layer.input_norm), positions, angles, mask, cache);
    const at::Tensor h = norm(x, layer.post_norm);
    x = x + at::linear(at::silu(at::linear(h, layer.gate)) * at::linear(h, layer.up), layer.down);
  }
  return norm(x, model_.final_norm);
}

at::Tensor ReferenceNet::logits(const at::Tensor& hidden) const {
  const at::Tensor out = at::linear(hidden, model_.head);
  return out.scalar_type() == at::kDouble ? out : out.to(at::kFloat);
}

BatchSampler::BatchSampler(const std::vector<const GenerationRequest*>& requests,
                           at::ScalarType type, at::Device device) {
  using Request = GenerationRequest;
  const auto column = [&](auto value) {
    at::Tensor made = at::empty({static_cast<std::int64_t>(requests.size()), 1}, at::kDouble);
    for (std::size_t i = 0; i < requests.size(); ++i) {
      made.data_ptr<double>()[i] = value(*requests[i]);
    }
    return made.to(device);
  };
  temperature_ =
      column([](const Request& r) { return r.temperature > 0 ? r.temperature : 1.0; }).to(type);
  greedy_ = column([](const Request& r) { return r.temperature == 0; }).to(at::kBool);
  top_k_ = column(
      [](const Request& r) { return r.top_k > 0 ? r.top_k : std::numeric_limits<int>::max(); });
  // Twice the total is never reached: nothing is cut.
  top_p_ = column([](const Request& r) { return r.top_p < 1 ? r.top_p : 2.0; });
  min_p_ = column([](const Request& r) { return r.min_p; }).to(type);
  truncates_ = std::any_of(requests.begin(), requests.end(), [](const Request* r) {
    return r->top_k > 0 || r->top_p < 1 || r->min_p > 0;
  });
}

BatchSampler::Drawn BatchSampler::draw(const at::Tensor& logits, const at::Tensor& uniforms) const {
  const at::Tensor logp = at::log_softmax(logits / temperature_, -1);
  const at::Tensor p = logp.exp();
  const at::Tensor cumulative = (truncates_ ? truncated(p) : p).to(at::kDouble).cumsum(-1);
  const at::Tensor target = uniforms.to(at::kDouble).unsqueeze(1) * cumulative.narrow(1, -1, 1);
  // The first token whose cumulative weight exceeds the target is the number of those that do not.
  const at::Tensor drawn = (cumulative <= target).sum(-1, true).clamp_max(logits.size(1) - 1);
  const at::Tensor token = at::where(greedy_, at::argmax(logits, -1, true), drawn);
  return {token.squeeze(1), logp.gather(-1, token).squeeze(1), -(p * logp).nan_to_num(0).sum(-1)};
}

// Zero where truncation removes a token.
at::Tensor BatchSampler::truncated(const at::Tensor& p) const {
  const auto [sorted, order] = p.sort(/*stable=*/true, /*dim=*/-1, /*descending=*/true);
  const at::Tensor rank = at::arange(p.size(1), order.options());
  const at::Tensor none = at::zeros_like(sorted);
  const at::Tensor ranked = at::where(rank < top_k_, sorted, none).to(at::kDouble);
  const at::Tensor reached = ranked.cumsum(-1);
  const at::Tensor keep = (ranked > 0)
                              .logical_and(reached - ranked < top_p_ * reached.narrow(1, -1, 1))
                              .logical_and(sorted >= min_p_ * sorted.narrow(1, 0, 1));
  return none.scatter(1, order, at::where(keep, sorted, none));
}

}  // namespace allot::lm
