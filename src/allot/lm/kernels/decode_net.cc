#include "allot/lm/kernels/decode_net.h"

#include <cmath>
#include <cstring>

#include "allot/lm/kernels/packed_gemm_tile.h"
#include "allot/lm/kernels/rms_norm.h"
#include "allot/lm/kernels/vector.h"

namespace allot::lm::kernels {
namespace ALLOT_KERNEL_SET {
namespace {

template <class T>
void append_rows(AlignedVector<const T*>& outputs, const T* weight, int rows, int inputs) {
  for (int i = 0; i < rows; ++i) outputs.push_back(weight + static_cast<std::size_t>(i) * inputs);
}

// Gate and up projections so that each panel holds one vector of gates and, after it, the vector of
// the same outputs of up: the epilogue then has both.
template <class T>
AlignedVector<const T*> interleaved(const T* gate, const T* up, int ffn, int inputs) {
  AlignedVector<const T*> outputs;
  for (int first = 0; first < ffn; first += kLanes<T>) {
    for (const T* weight : {gate, up}) {
      for (int j = first; j < first + kLanes<T>; ++j) {
        outputs.push_back(j < ffn ? weight + static_cast<std::size_t>(j) * inputs : nullptr);
      }
    }
  }
  return outputs;
}

// x / rms(x) of each row; the norm's gain is folded into the weights that follow.
template <class T>
void normalize(const T* x, std::ptrdiff_t stride, int rows, int dim, double eps, T* out) {
  for (int r = 0; r < rows; ++r) {
    const T scale = inverse_rms(x + r * stride, dim, eps);
    for (int i = 0; i < dim; ++i) out[r * stride + i] = x[r * stride + i] * scale;
  }
}

template <class T>
class Net final : public DecodeNet<T> {
 public:
  Net(const ModelConfig& c, const WeightPointers<T>& weights);
  void forward(std::span<const DecodeRow<T>> rows, DecodeScratch<T>& s) const override;
  const T* logits(int first, int count, DecodeScratch<T>& s) const override;

 private:
  struct Layer {
    PackedMatrix<T> qkv, o, gate_up, down;
    AlignedVector<T> qkv_bias;  // [qkv_stride], zeros where the model has none
    AlignedVector<T> q_norm, k_norm;
  };

  Layer pack(const typename WeightPointers<T>::Layer& layer) const;
  void project_qkv(const Layer& layer, int rows, DecodeScratch<T>& s) const;
  void place(const Layer& layer, int index, const DecodeRow<T>& row, T* qkv, T* query) const;
  void attend(int index, std::span<const DecodeRow<T>> rows, DecodeScratch<T>& s) const;
  void add_product(const PackedMatrix<T>& weight, const T* a, int stride, int rows,
                   DecodeScratch<T>& s) const;
  void mlp(const Layer& layer, int rows, DecodeScratch<T>& s) const;

  const ModelConfig config_;
  const T* embedding_;
  std::vector<Layer> layers_;
  PackedMatrix<T> head_;
  const PaddedAngles<T> angles_;
};

template <class T>
Net<T>::Net(const ModelConfig& c, const WeightPointers<T>& weights)
    : config_(c), embedding_(weights.embedding), angles_(c) {
  for (const auto& layer : weights.layers) layers_.push_back(pack(layer));
  AlignedVector<const T*> outputs;
  append_rows(outputs, weights.head, c.vocab, c.dim);
  head_ = pack_matrix<T>(outputs, c.dim, weights.final_norm);
}

template <class T>
typename Net<T>::Layer Net<T>::pack(const typename WeightPointers<T>::Layer& from) const {
  const ModelConfig& c = config_;
  const int q_rows = c.heads * c.head_dim, kv_rows = c.kv_heads * c.head_dim;
  Layer to;
  AlignedVector<const T*> outputs;
  append_rows(outputs, from.q, q_rows, c.dim);
  append_rows(outputs, from.k, kv_rows, c.dim);
  append_rows(outputs, from.v, kv_rows, c.dim);
  to.qkv = pack_matrix<T>(outputs, c.dim, from.input_norm);
  to.qkv_bias.assign(to.qkv.columns(), T(0));
  if (from.q_bias) {
    std::copy_n(from.q_bias, q_rows, to.qkv_bias.begin());
    std::copy_n(from.k_bias, kv_rows, to.qkv_bias.begin() + q_rows);
    std::copy_n(from.v_bias, kv_rows, to.qkv_bias.begin() + q_rows + kv_rows);
  }
  if (from.q_norm) {
    to.q_norm.assign(from.q_norm, from.q_norm + c.head_dim);
    to.k_norm.assign(from.k_norm, from.k_norm + c.head_dim);
  }
  outputs.clear();
  append_rows(outputs, from.o, c.dim, q_rows);
  to.o = pack_matrix<T>(outputs, q_rows, nullptr);
  to.gate_up = pack_matrix<T>(interleaved(from.gate, from.up, c.ffn, c.dim), c.dim, from.post_norm);
  outputs.clear();
  append_rows(outputs, from.down, c.dim, c.ffn);
  to.down = pack_matrix<T>(outputs, c.ffn, nullptr);
  return to;
}

template <class T>
void Net<T>::project_qkv(const Layer& layer, int rows, DecodeScratch<T>& s) const {
  packed_gemm(s.normed.data(), s.dim_stride, rows, layer.qkv,
              [to = s.qkv.data(), stride = static_cast<std::ptrdiff_t>(s.qkv_stride),
               bias = layer.qkv_bias.data()](int row, int panel, Vec<T> low, Vec<T> high) {
                const int column = panel * kPanelWidth<T>;
                T* at = to + row * stride + column;
                store(at, low + load(bias + column));
                store(at + kLanes<T>, high + load(bias + column + kLanes<T>));
              });
}

// Rotates one head (kernels/rope.h) times `scale`, by whole vectors: up to one vector beyond the
// end of `to` is overwritten. cos and sin are readable in whole vectors.
template <class T>
ALLOT_INLINE void rotate_scaled(const T* from, const T* cos, const T* sin, int half, T scale,
                                T* to) {
  for (int i = 0; i < half; i += kLanes<T>) {
    store(to + i, (load(from + i) * load(cos + i) - load(from + half + i) * load(sin + i)) * scale);
  }
  for (int i = 0; i < half; i += kLanes<T>) {
    store(to + half + i,
          (load(from + half + i) * load(cos + i) + load(from + i) * load(sin + i)) * scale);
  }
}

// Norms, rotates and scales the queries into `query`; puts the row's keys and values into its
// cache.
template <class T>
void Net<T>::place(const Layer& layer, int index, const DecodeRow<T>& row, T* qkv, T* query) const {
  const ModelConfig& c = config_;
  const int hd = c.head_dim, half = hd / 2;
  const int position = row.prefix_length + row.index;
  const T *cos = angles_.cos_at(position), *sin = angles_.sin_at(position);
  const auto norm = [&](T* head, const AlignedVector<T>& gain) {
    if (gain.empty()) return;
    const T scale = inverse_rms(head, hd, c.norm_eps);
    for (int d = 0; d < hd; ++d) head[d] *= scale * gain[d];
  };
  const T scale = T(1) / std::sqrt(static_cast<T>(hd));
  for (int h = 0; h < c.heads; ++h) {
    norm(qkv + h * hd, layer.q_norm);
    rotate_scaled(qkv + h * hd, cos, sin, half, scale, query + h * hd);
  }
  T* rotated = query + c.heads * hd;  // one head after the other, each over the spill of the last
  for (int h = 0; h < c.kv_heads; ++h) {
    T* k = qkv + (c.heads + h) * hd;
    norm(k, layer.k_norm);
    rotate_scaled(k, cos, sin, half, T(1), rotated);
    T* keys = row.own->keys(index, h) + key_offset(row.index, hd);
    for (int d = 0; d < hd; ++d) keys[d * kKeyBlock] = rotated[d];
    const T* v = qkv + (c.heads + c.kv_heads + h) * hd;
    T* values = row.own->values(index, h) + static_cast<std::size_t>(row.index) * hd;
    int d = 0;
    for (; d + kLanes<T> <= hd; d += kLanes<T>) store(values + d, load(v + d));
    for (; d < hd; ++d) values[d] = v[d];
  }
}

template <class T>
void Net<T>::attend(int index, std::span<const DecodeRow<T>> rows, DecodeScratch<T>& s) const {
  const int group = config_.heads / config_.kv_heads, hd = config_.head_dim;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const DecodeRow<T>& row = rows[r];
    const T* q = s.query.data() + r * s.query_stride;
    T* out = s.mixed.data() + r * s.head_stride;
    for (int h = 0; h < config_.kv_heads; ++h) {
      const CachePiece<T> prefix =
          row.prefix_length > 0 ? row.prefix->piece(index, h, row.prefix_length) : CachePiece<T>{};
      decode_attention(q + h * group * hd, group, hd, prefix,
                       row.own->piece(index, h, row.index + 1), s.scores, out + h * group * hd);
    }
  }
}

// residual += a weight^T
template <class T>
void Net<T>::add_product(const PackedMatrix<T>& weight, const T* a, int stride, int rows,
                         DecodeScratch<T>& s) const {
  packed_gemm(a, stride, rows, weight,
              [to = s.residual.data(), stride = static_cast<std::ptrdiff_t>(s.dim_stride)](
                  int row, int panel, Vec<T> low, Vec<T> high) {
                T* at = to + row * stride + panel * kPanelWidth<T>;
                store(at, load(at) + low);
                store(at + kLanes<T>, load(at + kLanes<T>) + high);
              });
}

// residual += down(silu(gate) * up)
template <class T>
void Net<T>::mlp(const Layer& layer, int rows, DecodeScratch<T>& s) const {
  packed_gemm(s.normed.data(), s.dim_stride, rows, layer.gate_up,
              [to = s.inner.data(), stride = static_cast<std::ptrdiff_t>(s.ffn_stride)](
                  int row, int panel, Vec<T> gate, Vec<T> up) {
                const Vec<T> silu = gate / (exp<T>(-gate) + T(1));
                store(to + row * stride + panel * kLanes<T>, silu * up);
              });
  add_product(layer.down, s.inner.data(), s.ffn_stride, rows, s);
}

template <class T>
void Net<T>::forward(std::span<const DecodeRow<T>> rows, DecodeScratch<T>& s) const {
  const ModelConfig& c = config_;
  const int count = static_cast<int>(rows.size());
  for (int r = 0; r < count; ++r) {
    std::memcpy(s.residual.data() + static_cast<std::size_t>(r) * s.dim_stride,
                embedding_ + static_cast<std::size_t>(rows[r].token) * c.dim, c.dim * sizeof(T));
  }
  const auto normalize_rows = [&] {
    normalize(s.residual.data(), s.dim_stride, count, c.dim, c.norm_eps, s.normed.data());
  };
  for (int l = 0; l < c.layers; ++l) {
    const auto& layer = layers_[l];
    normalize_rows();
    project_qkv(layer, count, s);
    for (int r = 0; r < count; ++r) {
      place(layer, l, rows[r], s.qkv.data() + static_cast<std::size_t>(r) * s.qkv_stride,
            s.query.data() + static_cast<std::size_t>(r) * s.query_stride);
    }
    attend(l, rows, s);
    add_product(layer.o, s.mixed.data(), s.head_stride, count, s);
    normalize_rows();
    mlp(layer, count, s);
  }
  normalize_rows();
}

template <class T>
const T* Net<T>::logits(int first, int count, DecodeScratch<T>& s) const {
  packed_multiply(s.normed.data() + static_cast<std::size_t>(first) * s.dim_stride, s.dim_stride,
                  count, head_, s.logits.data(), s.vocab_stride);
  return s.logits.data();
}

}  // namespace

template <class T>
std::unique_ptr<DecodeNet<T>> make_decode_net(const ModelConfig& config,
                                              const WeightPointers<T>& weights) {
  return std::make_unique<Net<T>>(config, weights);
}

}  // namespace ALLOT_KERNEL_SET

#define ALLOT_INSTANTIATE(T)                                      \
  ALLOT_KERNEL(std::unique_ptr<DecodeNet<T>>, make_decode_net<T>, \
               (const ModelConfig& config, const WeightPointers<T>& weights), (config, weights))
ALLOT_INSTANTIATE(float)
ALLOT_INSTANTIATE(double)
#undef ALLOT_INSTANTIATE

}  // namespace allot::lm::kernels
