// With s the stream of residuals, n = norm(s), for each layer:
//   qkv = n Wqkv^T, a = attention(rope(qkv)), m = s + a Wo^T,
//   h = swiglu(norm(m) Wgu^T), s' = m + h Wdown^T
// and the hidden states are norm(s) after the last. The backward pass goes the same way back; d_
// marks the gradient of what follows.
#include "allot/lm/fused_layers.h"

#include <algorithm>
#include <utility>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include "allot/lm/index_tensor.h"
#include "allot/lm/kernels/attention.h"
#include "allot/lm/kernels/rms_norm.h"
#include "allot/lm/kernels/rope.h"
#include "allot/lm/kernels/rope_rows.h"
#include "allot/lm/kernels/swiglu.h"

namespace allot::lm {
namespace {

using at::Tensor;

// A norm with the residual addition before it.
struct Normed {
  Tensor sum, out, inverse;  // [rows, dim], [rows, dim], [rows]
};

// The norms of queries and keys (config.qk_norm), which work on heads.
struct HeadNorms {
  Tensor input;    // [rows, row_size]: qkv before the norms
  Tensor inverse;  // [rows, heads + kv_heads]
};

// What the backward pass of a layer needs.
struct Activations {
  Normed start;  // what the layer begins with
  HeadNorms head_norms;
  Tensor qkv;       // [rows, row_size], rotated
  Tensor attended;  // [rows, q_size]
  Tensor log_sum;   // [rows, heads]
  Normed middle;
  Tensor gate_up;  // [rows, 2 * ffn]
};

Tensor merged_qkv(const Layer& layer) { return at::cat({layer.q, layer.k, layer.v}); }
Tensor merged_gate_up(const Layer& layer) { return at::cat({layer.gate, layer.up}); }

template <class T>
class Pass final : public FusedLayers {
 public:
  Pass(const Model& model, const PackedRows& rows, ProductType products, KeptActivations kept)
      : model_(model),
        config_(model.config()),
        shape_{config_.heads, config_.kv_heads, config_.head_dim},
        rows_(rows),
        table_(*std::max_element(rows.positions.begin(), rows.positions.end()) + 1,
               rope_frequencies(config_)),
        tokens_(index_tensor(rows.tokens, model.device())),
        products_(products),
        kept_(kept) {}

  Tensor forward() override {
    activations_.clear();
    return run([&](Activations&& a) {
      if (kept_ == KeptActivations::LayerInputs) a = {.start = std::move(a.start)};
      activations_.push_back(std::move(a));
    });
  }
  Tensor forward_without_gradient() override {
    return run([](Activations&&) {});
  }
  std::vector<Tensor> backward(const Tensor& d_hidden) override;

 private:
  template <class Keep>
  Tensor run(const Keep& keep);
  Activations attend(const Layer& layer, Normed start) const;
  Tensor feed_forward(const Layer& layer, Activations& a) const;
  // The activations of a layer that begins with `start`.
  Activations again(const Layer& layer, Normed start) const;

  // Take the gradient of what the half layer adds to the stream; return that of its normed input.
  Tensor feed_forward_backward(Activations& a, const Tensor& d_delta, const Layer& layer,
                               Layer& gradient) const;
  Tensor attend_backward(const Activations& a, const Tensor& d_delta, const Layer& layer,
                         Layer& gradient) const;

  Normed norm(const Tensor& x, const Tensor& delta, const Tensor& weight) const;
  // Adds to d_stream (undefined: nothing yet) and sets d_weight.
  void norm_backward(const Normed& n, const Tensor& weight, const Tensor& d_out, Tensor& d_stream,
                     Tensor& d_weight) const;
  HeadNorms norm_heads(const Layer& layer, Tensor& qkv) const;
  void norm_heads_backward(const HeadNorms& n, const Layer& layer, Tensor& d_qkv,
                           Layer& gradient) const;
  Tensor embedding_gradient(const Tensor& d_stream) const;

  Tensor numbers(std::int64_t rows, std::int64_t columns) const {
    return at::empty({rows, columns}, model_.embedding.options().requires_grad(false));
  }
  std::int64_t rows() const { return rows_.rows(); }
  int rotated_heads() const { return shape_.heads + shape_.kv_heads; }
  static T* data(const Tensor& x) { return x.data_ptr<T>(); }
  static const T* read(const Tensor& x) { return x.const_data_ptr<T>(); }

  const Model model_;  // shares storage
  const ModelConfig config_;
  const kernels::HeadShape shape_;
  const PackedRows rows_;
  const kernels::RopeTable<T> table_;
  const Tensor tokens_;
  const Products products_;
  const KeptActivations kept_;
  std::vector<Activations> activations_;  // by layer
  Normed last_;
};

template <class T>
template <class Keep>
Tensor Pass<T>::run(const Keep& keep) {
  const at::NoGradGuard no_grad;
  last_ = norm(at::embedding(model_.embedding, tokens_), {}, model_.layers[0].input_norm);
  for (int i = 0; i < config_.layers; ++i) {
    const Layer& layer = model_.layers[i];
    Activations a = attend(layer, std::move(last_));
    const Tensor& next_norm =
        i + 1 < config_.layers ? model_.layers[i + 1].input_norm : model_.final_norm;
    const Tensor delta = feed_forward(layer, a);
    last_ = norm(a.middle.sum, delta, next_norm);
    keep(std::move(a));
  }
  // Not kept: backward() does without, and autograd's node of this pass would own its own output.
  return std::move(last_.out);
}

template <class T>
Activations Pass<T>::attend(const Layer& layer, Normed start) const {
  Activations a;
  a.start = std::move(start);
  a.qkv = products_.of(a.start.out, merged_qkv(layer));
  if (config_.qkv_bias) a.qkv.add_(at::cat({layer.q_bias, layer.k_bias, layer.v_bias}));
  if (config_.qk_norm) a.head_norms = norm_heads(layer, a.qkv);
  kernels::rotate_rows<T>(data(a.qkv), shape_.row_size(), rows_.positions.data(), table_.cos.data(),
                          table_.sin.data(), rows(), rotated_heads(), table_.half);
  a.attended = numbers(rows(), shape_.q_size());
  a.log_sum = numbers(rows(), shape_.heads);
  kernels::attention_forward<T>(shape_, rows_.segments, read(a.qkv), data(a.attended),
                                data(a.log_sum));
  a.middle = norm(a.start.sum, products_.of(a.attended, layer.o), layer.post_norm);
  return a;
}

template <class T>
Tensor Pass<T>::feed_forward(const Layer& layer, Activations& a) const {
  a.gate_up = products_.of(a.middle.out, merged_gate_up(layer));
  const Tensor inner = numbers(rows(), config_.ffn);
  kernels::swiglu_forward<T>(read(a.gate_up), rows(), config_.ffn, data(inner));
  return products_.of(inner, layer.down);
}

template <class T>
Activations Pass<T>::again(const Layer& layer, Normed start) const {
  Activations a = attend(layer, std::move(start));
  a.gate_up = products_.of(a.middle.out, merged_gate_up(layer));
  return a;
}

template <class T>
std::vector<Tensor> Pass<T>::backward(const Tensor& d_hidden) {
  const at::NoGradGuard no_grad;
  Model gradients = model_;
  Tensor d_out = d_hidden.contiguous(), d_stream;
  norm_backward(last_, model_.final_norm, d_out, d_stream, gradients.final_norm);
  last_ = Normed();
  for (int i = config_.layers - 1; i >= 0; --i) {
    Activations a = std::move(activations_.back());
    activations_.pop_back();
    const Layer& layer = model_.layers[i];
    Layer& gradient = gradients.layers[i];
    if (kept_ == KeptActivations::LayerInputs) a = again(layer, std::move(a.start));
    d_out = feed_forward_backward(a, d_stream, layer, gradient);
    norm_backward(a.middle, layer.post_norm, d_out, d_stream, gradient.post_norm);
    d_out = attend_backward(a, d_stream, layer, gradient);
    norm_backward(a.start, layer.input_norm, d_out, d_stream, gradient.input_norm);
  }
  gradients.embedding = embedding_gradient(d_stream);
  if (!config_.tied_embedding) gradients.head = Tensor();
  std::vector<Tensor> out;
  for (const NamedTensor& named : gradients.parameters()) out.push_back(named.tensor);
  return out;
}

template <class T>
Tensor Pass<T>::feed_forward_backward(Activations& a, const Tensor& d_delta, const Layer& layer,
                                      Layer& gradient) const {
  Tensor inner = products_.input_gradient(d_delta, layer.down);
  kernels::swiglu_backward<T>(data(a.gate_up), read(inner), rows(), config_.ffn, data(inner));
  const Tensor& d_gate_up = a.gate_up;
  gradient.down = products_.weight_gradient(d_delta, inner);
  const Tensor merged = products_.weight_gradient(d_gate_up, a.middle.out);
  gradient.gate = merged.narrow(0, 0, config_.ffn);
  gradient.up = merged.narrow(0, config_.ffn, config_.ffn);
  return products_.input_gradient(d_gate_up, merged_gate_up(layer));
}

template <class T>
Tensor Pass<T>::attend_backward(const Activations& a, const Tensor& d_delta, const Layer& layer,
                                Layer& gradient) const {
  const Tensor d_attended = products_.input_gradient(d_delta, layer.o);
  gradient.o = products_.weight_gradient(d_delta, a.attended);
  Tensor d_qkv = at::zeros_like(a.qkv);
  kernels::attention_backward<T>(shape_, rows_.segments, read(a.qkv), read(a.attended),
                                 read(a.log_sum), read(d_attended), data(d_qkv));
  kernels::rotate_rows_back<T>(data(d_qkv), shape_.row_size(), rows_.positions.data(),
                               table_.cos.data(), table_.sin.data(), rows(), rotated_heads(),
                               table_.half);
  if (config_.qk_norm) norm_heads_backward(a.head_norms, layer, d_qkv, gradient);
  const std::int64_t q = shape_.q_size(), kv = shape_.kv_size();
  if (config_.qkv_bias) {
    const Tensor merged = d_qkv.sum(0);
    gradient.q_bias = merged.narrow(0, 0, q);
    gradient.k_bias = merged.narrow(0, q, kv);
    gradient.v_bias = merged.narrow(0, q + kv, kv);
  }
  const Tensor merged = products_.weight_gradient(d_qkv, a.start.out);
  gradient.q = merged.narrow(0, 0, q);
  gradient.k = merged.narrow(0, q, kv);
  gradient.v = merged.narrow(0, q + kv, kv);
  return products_.input_gradient(d_qkv, merged_qkv(layer));
}

template <class T>
Normed Pass<T>::norm(const Tensor& x, const Tensor& delta, const Tensor& weight) const {
  Normed n;
  n.sum = delta.defined() ? numbers(rows(), config_.dim) : x;
  n.out = numbers(rows(), config_.dim);
  n.inverse = numbers(rows(), 1);
  kernels::residual_norm_forward<T>(read(x), delta.defined() ? read(delta) : nullptr, read(weight),
                                    rows(), config_.dim, config_.norm_eps, data(n.sum), data(n.out),
                                    data(n.inverse));
  return n;
}

template <class T>
void Pass<T>::norm_backward(const Normed& n, const Tensor& weight, const Tensor& d_out,
                            Tensor& d_stream, Tensor& d_weight) const {
  const bool first = !d_stream.defined();
  if (first) d_stream = numbers(rows(), config_.dim);
  d_weight = at::zeros_like(weight);
  kernels::residual_norm_backward<T>(read(n.sum), read(weight), read(n.inverse), read(d_out),
                                     first ? nullptr : read(d_stream), rows(), config_.dim,
                                     data(d_stream), data(d_weight));
}

template <class T>
HeadNorms Pass<T>::norm_heads(const Layer& layer, Tensor& qkv) const {
  HeadNorms n{qkv, numbers(rows(), rotated_heads())};
  qkv = qkv.clone();
  for (std::int64_t r = 0; r < rows(); ++r) {
    const T* from = read(n.input) + r * shape_.row_size();
    T* to = data(qkv) + r * shape_.row_size();
    T* inverse = data(n.inverse) + r * rotated_heads();
    kernels::residual_norm_forward<T>(from, nullptr, read(layer.q_norm), shape_.heads,
                                      shape_.head_dim, config_.norm_eps, nullptr, to, inverse);
    kernels::residual_norm_forward<T>(from + shape_.q_size(), nullptr, read(layer.k_norm),
                                      shape_.kv_heads, shape_.head_dim, config_.norm_eps, nullptr,
                                      to + shape_.q_size(), inverse + shape_.heads);
  }
  return n;
}

template <class T>
void Pass<T>::norm_heads_backward(const HeadNorms& n, const Layer& layer, Tensor& d_qkv,
                                  Layer& gradient) const {
  gradient.q_norm = at::zeros_like(layer.q_norm);
  gradient.k_norm = at::zeros_like(layer.k_norm);
  for (std::int64_t r = 0; r < rows(); ++r) {
    const T* from = read(n.input) + r * shape_.row_size();
    T* d = data(d_qkv) + r * shape_.row_size();
    const T* inverse = read(n.inverse) + r * rotated_heads();
    kernels::residual_norm_backward<T>(from, read(layer.q_norm), inverse, d, nullptr, shape_.heads,
                                       shape_.head_dim, d, data(gradient.q_norm));
    d += shape_.q_size();
    kernels::residual_norm_backward<T>(from + shape_.q_size(), read(layer.k_norm),
                                       inverse + shape_.heads, d, nullptr, shape_.kv_heads,
                                       shape_.head_dim, d, data(gradient.k_norm));
  }
}

template <class T>
Tensor Pass<T>::embedding_gradient(const Tensor& d_stream) const {
  const Tensor out = at::zeros_like(model_.embedding);
  const T* from = read(d_stream);
  for (const std::int32_t token : rows_.tokens) {
    T* to = data(out) + std::int64_t{token} * config_.dim;
    for (int i = 0; i < config_.dim; ++i) to[i] += from[i];
    from += config_.dim;
  }
  return out;
}

}  // namespace

std::unique_ptr<FusedLayers> make_fused_layers(const Model& model, const PackedRows& rows,
                                               ProductType products, KeptActivations kept) {
  if (model.dtype() == at::kDouble) {
    return std::make_unique<Pass<double>>(model, rows, products, kept);
  }
  return std::make_unique<Pass<float>>(model, rows, products, kept);
}

}  // namespace allot::lm
