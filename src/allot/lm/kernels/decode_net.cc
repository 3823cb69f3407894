#include "allot/lm/kernels/decode_net.h"

#include <cmath>
#include <cstring>

#include "allot/lm/kernels/packed_gemm_tile.h"
#include "allot/lm/kernels/rms_norm.h"
#include "allot/lm/kernels/rope.h"
#include "allot/lm/kernels/vector.h"

namespace allot::lm::kernels {
namespace {

template <class T>
int padded(int columns) {
  return (columns + kPanelWidth<T> - 1) / kPanelWidth<T> * kPanelWidth<T>;
}

template <class T>
void append_rows(std::vector<const T*>& outputs, const T* weight, int rows, int inputs) {
  for (int i = 0; i < rows; ++i) outputs.push_back(weight + static_cast<std::size_t>(i) * inputs);
}

// Gate and up projections so that each panel holds one vector of gates and, after it, the vector of
// the same outputs of up: the epilogue then has both.
template <class T>
std::vector<const T*> interleaved(const T* gate, const T* up, int ffn, int inputs) {
  std::vector<const T*> outputs;
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

}  // namespace

template <class T>
KeyValueCache<T>::KeyValueCache(const ModelConfig& config, int capacity)
    : kv_heads_(config.kv_heads),
      half_size_(static_cast<std::size_t>(round_up_16(capacity)) * config.head_dim),
      data_(config.layers * kv_heads_ * 2 * half_size_ + 16) {}

template <class T>
DecodeScratch<T>::DecodeScratch(const ModelConfig& c, int rows)
    : rows(rows),
      dim_stride(padded<T>(c.dim)),
      qkv_stride(padded<T>((c.heads + 2 * c.kv_heads) * c.head_dim)),
      query_stride(round_up_16((c.heads + 1) * c.head_dim) + 16),
      head_stride(round_up_16(c.heads * c.head_dim) + 16),
      ffn_stride(padded<T>(c.ffn)),
      vocab_stride(padded<T>(c.vocab)),
      residual(static_cast<std::size_t>(rows) * dim_stride),
      normed(residual.size()),
      qkv(static_cast<std::size_t>(rows) * qkv_stride + 16),
      query(static_cast<std::size_t>(rows) * query_stride),
      mixed(static_cast<std::size_t>(rows) * head_stride),
      inner(static_cast<std::size_t>(rows) * ffn_stride),
      logits(static_cast<std::size_t>(rows) * vocab_stride) {}

template <class T>
struct DecodeNet<T>::Packed {
  struct Layer {
    PackedMatrix<T> qkv, o, gate_up, down;
    AlignedVector<T> qkv_bias;  // [qkv_stride], zeros where the model has none
    std::vector<T> q_norm, k_norm;
  };

  ModelConfig config;
  const T* embedding;
  std::vector<Layer> layers;
  PackedMatrix<T> head;
  int angle_stride;                 // head_dim / 2 in whole vectors
  AlignedVector<T> cosines, sines;  // [context][angle_stride]

  Packed(const ModelConfig& c, const WeightPointers<T>& weights);
  Layer pack(const typename WeightPointers<T>::Layer& layer) const;
  void project_qkv(const Layer& layer, int rows, DecodeScratch<T>& s) const;
  void place(const Layer& layer, int index, const DecodeRow<T>& row, T* qkv, T* query) const;
  void attend(int index, std::span<const DecodeRow<T>> rows, DecodeScratch<T>& s) const;
  void add_product(const PackedMatrix<T>& weight, const T* a, int stride, int rows,
                   DecodeScratch<T>& s) const;
  void mlp(const Layer& layer, int rows, DecodeScratch<T>& s) const;
};

template <class T>
DecodeNet<T>::Packed::Packed(const ModelConfig& c, const WeightPointers<T>& weights)
    : config(c), embedding(weights.embedding), angle_stride(round_up_16(c.head_dim / 2)) {
  const RopeTable<T> angles(c.context, c.head_dim, c.rope_theta);
  cosines.resize(static_cast<std::size_t>(c.context) * angle_stride);
  sines.resize(cosines.size());
  for (int p = 0; p < c.context; ++p) {
    const std::size_t at = static_cast<std::size_t>(p) * angle_stride;
    std::copy_n(angles.cos_at(p), angles.half, cosines.begin() + at);
    std::copy_n(angles.sin_at(p), angles.half, sines.begin() + at);
  }
  for (const auto& layer : weights.layers) layers.push_back(pack(layer));
  std::vector<const T*> outputs;
  append_rows(outputs, weights.head, c.vocab, c.dim);
  head = PackedMatrix<T>(outputs, c.dim, weights.final_norm);
}

template <class T>
typename DecodeNet<T>::Packed::Layer DecodeNet<T>::Packed::pack(
    const typename WeightPointers<T>::Layer& from) const {
  const ModelConfig& c = config;
  const int q_rows = c.heads * c.head_dim, kv_rows = c.kv_heads * c.head_dim;
  Layer to;
  std::vector<const T*> outputs;
  append_rows(outputs, from.q, q_rows, c.dim);
  append_rows(outputs, from.k, kv_rows, c.dim);
  append_rows(outputs, from.v, kv_rows, c.dim);
  to.qkv = PackedMatrix<T>(outputs, c.dim, from.input_norm);
  to.qkv_bias.assign(to.qkv.panels * kPanelWidth<T>, T(0));
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
  to.o = PackedMatrix<T>(outputs, q_rows);
  to.gate_up =
      PackedMatrix<T>(interleaved(from.gate, from.up, c.ffn, c.dim), c.dim, from.post_norm);
  outputs.clear();
  append_rows(outputs, from.down, c.dim, c.ffn);
  to.down = PackedMatrix<T>(outputs, c.ffn);
  return to;
}

template <class T>
void DecodeNet<T>::Packed::project_qkv(const Layer& layer, int rows, DecodeScratch<T>& s) const {
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
void DecodeNet<T>::Packed::place(const Layer& layer, int index, const DecodeRow<T>& row, T* qkv,
                                 T* query) const {
  const ModelConfig& c = config;
  const int hd = c.head_dim, half = hd / 2;
  const std::size_t angle = static_cast<std::size_t>(row.prefix_length + row.index) * angle_stride;
  const T *cos = cosines.data() + angle, *sin = sines.data() + angle;
  const auto norm = [&](T* head, const std::vector<T>& gain) {
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
void DecodeNet<T>::Packed::attend(int index, std::span<const DecodeRow<T>> rows,
                                  DecodeScratch<T>& s) const {
  const int group = config.heads / config.kv_heads, hd = config.head_dim;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const DecodeRow<T>& row = rows[r];
    const T* q = s.query.data() + r * s.query_stride;
    T* out = s.mixed.data() + r * s.head_stride;
    for (int h = 0; h < config.kv_heads; ++h) {
      const CachePiece<T> prefix =
          row.prefix_length > 0 ? row.prefix->piece(index, h, row.prefix_length) : CachePiece<T>{};
      decode_attention(q + h * group * hd, group, hd, prefix,
                       row.own->piece(index, h, row.index + 1), s.scores, out + h * group * hd);
    }
  }
}

// residual += a weight^T
template <class T>
void DecodeNet<T>::Packed::add_product(const PackedMatrix<T>& weight, const T* a, int stride,
                                       int rows, DecodeScratch<T>& s) const {
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
void DecodeNet<T>::Packed::mlp(const Layer& layer, int rows, DecodeScratch<T>& s) const {
  packed_gemm(s.normed.data(), s.dim_stride, rows, layer.gate_up,
              [to = s.inner.data(), stride = static_cast<std::ptrdiff_t>(s.ffn_stride)](
                  int row, int panel, Vec<T> gate, Vec<T> up) {
                const Vec<T> silu = gate / (exp<T>(-gate) + T(1));
                store(to + row * stride + panel * kLanes<T>, silu * up);
              });
  add_product(layer.down, s.inner.data(), s.ffn_stride, rows, s);
}

template <class T>
DecodeNet<T>::DecodeNet(const ModelConfig& config, const WeightPointers<T>& weights)
    : packed_(std::make_unique<Packed>(config, weights)) {}

template <class T>
DecodeNet<T>::~DecodeNet() = default;

template <class T>
void DecodeNet<T>::forward(std::span<const DecodeRow<T>> rows, DecodeScratch<T>& s) const {
  const ModelConfig& c = packed_->config;
  const int count = static_cast<int>(rows.size());
  for (int r = 0; r < count; ++r) {
    std::memcpy(s.residual.data() + static_cast<std::size_t>(r) * s.dim_stride,
                packed_->embedding + static_cast<std::size_t>(rows[r].token) * c.dim,
                c.dim * sizeof(T));
  }
  const auto normalize_rows = [&] {
    normalize(s.residual.data(), s.dim_stride, count, c.dim, c.norm_eps, s.normed.data());
  };
  for (int l = 0; l < c.layers; ++l) {
    const auto& layer = packed_->layers[l];
    normalize_rows();
    packed_->project_qkv(layer, count, s);
    for (int r = 0; r < count; ++r) {
      packed_->place(layer, l, rows[r], s.qkv.data() + static_cast<std::size_t>(r) * s.qkv_stride,
                     s.query.data() + static_cast<std::size_t>(r) * s.query_stride);
    }
    packed_->attend(l, rows, s);
    packed_->add_product(layer.o, s.mixed.data(), s.head_stride, count, s);
    normalize_rows();
    packed_->mlp(layer, count, s);
  }
  normalize_rows();
}

template <class T>
const T* DecodeNet<T>::logits(int first, int count, DecodeScratch<T>& s) const {
  packed_multiply(s.normed.data() + static_cast<std::size_t>(first) * s.dim_stride, s.dim_stride,
                  count, packed_->head, s.logits.data(), s.vocab_stride);
  return s.logits.data();
}

template class KeyValueCache<float>;
template class KeyValueCache<double>;
template struct DecodeScratch<float>;
template struct DecodeScratch<double>;
template class DecodeNet<float>;
template class DecodeNet<double>;

}  // namespace allot::lm::kernels
