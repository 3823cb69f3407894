#include "allot/lm/kernels/decode_net.h"

#include <cmath>
#include <cstring>

#include "allot/lm/kernels/packed_gemm_tile.h"
#include "allot/lm/kernels/rms_norm.h"
#include "allot/lm/kernels/vector.h"

namespace allot::lm::kernels {
namespace ALLOT_KERNEL_SET {
namespace {

template <class W>
void append_rows(AlignedVector<const W*>& outputs, const W* weight, int rows, int inputs) {
  for (int i = 0; i < rows; ++i) outputs.push_back(weight + static_cast<std::size_t>(i) * inputs);
}

// Gate and up projections so that each panel holds one vector of gates and, after it, the vector of
// the same outputs of up: the epilogue then has both.
template <class W>
AlignedVector<const W*> interleaved(const W* gate, const W* up, int ffn, int inputs) {
  constexpr int kLane = kLanes<Real<W>>;
  AlignedVector<const W*> outputs;
  for (int first = 0; first < ffn; first += kLane) {
    for (const W* weight : {gate, up}) {
      for (int j = first; j < first + kLane; ++j) {
        outputs.push_back(j < ffn ? weight + static_cast<std::size_t>(j) * inputs : nullptr);
      }
    }
  }
  return outputs;
}

// Appends `count` numbers, or none if `from` is null.
template <class W>
void append(AlignedVector<Real<W>>& to, const W* from, int count) {
  if (from == nullptr) return;
  for (int i = 0; i < count; ++i) to.push_back(widened(from[i]));
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

template <class W>
class Net final : public DecodeNet<W> {
 public:
  using T = Real<W>;

  Net(const ModelConfig& c, const WeightPointers<W>& weights);
  void forward(std::span<const DecodeRow<T>> rows, DecodeScratch<W>& s,
               const TeamMember& member) const override;
  const T* logits(std::span<const int> which, DecodeScratch<W>& s,
                  const TeamMember& member) const override;
  std::size_t bytes() const override;

 private:
  struct Layer {
    AlignedVector<T> input_norm, q_norm, k_norm, post_norm;
    AlignedVector<T> qkv_bias;  // [qkv.columns()], zeros where the model has none
    PackedMatrix<W> qkv, o, gate_up, down;
  };

  Layer pack(const typename WeightPointers<W>::Layer& layer) const;
  void embed(const DecodeRow<T>& row, T* to) const;
  void normalize(const T* x, const AlignedVector<T>& gain, W* out) const;
  void project_qkv(const Layer& layer, int rows, DecodeScratch<W>& s, const TeamMember& m) const;
  void place(const Layer& layer, int index, const DecodeRow<T>& row, T* qkv, T* query) const;
  void attend(int index, const DecodeRow<T>& row, const T* query, W* out,
              typename DecodeScratch<W>::Member& own) const;
  void add_product(const PackedMatrix<W>& weight, const W* a, int stride, int rows,
                   DecodeScratch<W>& s, const TeamMember& m) const;
  void gate_and_up(const Layer& layer, int rows, DecodeScratch<W>& s, const TeamMember& m) const;

  const ModelConfig config_;
  const W* embedding_;
  std::vector<Layer> layers_;
  AlignedVector<T> final_norm_;
  PackedMatrix<W> head_;
  const PaddedAngles<T> angles_;
};

template <class W>
PanelRange share(const PackedMatrix<W>& weight, const TeamMember& m) {
  return {m.begin(weight.panels), m.end(weight.panels)};
}

template <class W>
Net<W>::Net(const ModelConfig& c, const WeightPointers<W>& weights)
    : config_(c), embedding_(weights.embedding), angles_(c) {
  for (const auto& layer : weights.layers) layers_.push_back(pack(layer));
  append(final_norm_, weights.final_norm, c.dim);
  AlignedVector<const W*> outputs;
  append_rows(outputs, weights.head, c.vocab, c.dim);
  head_ = pack_matrix<W>(outputs, c.dim);
}

template <class W>
typename Net<W>::Layer Net<W>::pack(const typename WeightPointers<W>::Layer& from) const {
  const ModelConfig& c = config_;
  const int q_rows = c.heads * c.head_dim, kv_rows = c.kv_heads * c.head_dim;
  Layer to;
  append(to.input_norm, from.input_norm, c.dim);
  append(to.q_norm, from.q_norm, c.head_dim);
  append(to.k_norm, from.k_norm, c.head_dim);
  append(to.post_norm, from.post_norm, c.dim);
  AlignedVector<const W*> outputs;
  append_rows(outputs, from.q, q_rows, c.dim);
  append_rows(outputs, from.k, kv_rows, c.dim);
  append_rows(outputs, from.v, kv_rows, c.dim);
  to.qkv = pack_matrix<W>(outputs, c.dim);
  append(to.qkv_bias, from.q_bias, q_rows);
  append(to.qkv_bias, from.k_bias, kv_rows);
  append(to.qkv_bias, from.v_bias, kv_rows);
  to.qkv_bias.resize(to.qkv.columns(), T(0));
  outputs.clear();
  append_rows(outputs, from.o, c.dim, q_rows);
  to.o = pack_matrix<W>(outputs, q_rows);
  to.gate_up = pack_matrix<W>(interleaved(from.gate, from.up, c.ffn, c.dim), c.dim);
  outputs.clear();
  append_rows(outputs, from.down, c.dim, c.ffn);
  to.down = pack_matrix<W>(outputs, c.ffn);
  return to;
}

template <class W>
std::size_t Net<W>::bytes() const {
  const auto of = [](const PackedMatrix<W>& m) { return m.data.size() * sizeof(W); };
  std::size_t total = of(head_) + angles_.bytes();
  for (const Layer& l : layers_) total += of(l.qkv) + of(l.o) + of(l.gate_up) + of(l.down);
  return total;
}

template <class W>
void Net<W>::embed(const DecodeRow<T>& row, T* to) const {
  const W* from = embedding_ + static_cast<std::size_t>(row.token) * config_.dim;
  for (int i = 0; i < config_.dim; ++i) to[i] = widened(from[i]);
}

template <class W>
void Net<W>::normalize(const T* x, const AlignedVector<T>& gain, W* out) const {
  const int dim = config_.dim;
  const T scale = inverse_rms(x, dim, config_.norm_eps);
  int i = 0;
  for (; i + kLanes<T> <= dim; i += kLanes<T>) {
    store_narrowed(out + i, load(x + i) * scale * load(gain.data() + i));
  }
  for (; i < dim; ++i) out[i] = narrowed<W>(x[i] * scale * gain[i]);
}

template <class W>
void Net<W>::project_qkv(const Layer& layer, int rows, DecodeScratch<W>& s,
                         const TeamMember& m) const {
  packed_gemm(s.normed.data(), s.dim_stride, rows, layer.qkv, share(layer.qkv, m),
              [to = s.qkv.data(), stride = static_cast<std::ptrdiff_t>(s.qkv_stride),
               bias = layer.qkv_bias.data()](int row, int panel, Vec<T> low, Vec<T> high) {
                const int column = panel * kPanelWidth<W>;
                T* at = to + row * stride + column;
                store(at, low + load(bias + column));
                store(at + kLanes<T>, high + load(bias + column + kLanes<T>));
              });
}

// Norms, rotates and scales the queries into `query`; puts the row's keys and values into its
// cache.
template <class W>
void Net<W>::place(const Layer& layer, int index, const DecodeRow<T>& row, T* qkv, T* query) const {
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

template <class W>
void Net<W>::attend(int index, const DecodeRow<T>& row, const T* query, W* out,
                    typename DecodeScratch<W>::Member& own) const {
  const int group = config_.heads / config_.kv_heads, width = group * config_.head_dim;
  T* to = own.attended.data();
  if constexpr (std::is_same_v<W, T>) to = out;
  for (int h = 0; h < config_.kv_heads; ++h) {
    const CachePiece<T> prefix =
        row.prefix_length > 0 ? row.prefix->piece(index, h, row.prefix_length) : CachePiece<T>{};
    kernels::decode_attention(query + h * width, group, config_.head_dim, prefix,
                              row.own->piece(index, h, row.index + 1), own.scores, to + h * width);
  }
  if constexpr (!std::is_same_v<W, T>) {
    for (int i = 0; i < config_.kv_heads * width; i += kLanes<T>)
      store_narrowed(out + i, load(to + i));
  }
}

// residual += a weight^T
template <class W>
void Net<W>::add_product(const PackedMatrix<W>& weight, const W* a, int stride, int rows,
                         DecodeScratch<W>& s, const TeamMember& m) const {
  packed_gemm(a, stride, rows, weight, share(weight, m),
              [to = s.residual.data(), stride = static_cast<std::ptrdiff_t>(s.dim_stride)](
                  int row, int panel, Vec<T> low, Vec<T> high) {
                T* at = to + row * stride + panel * kPanelWidth<W>;
                store(at, load(at) + low);
                store(at + kLanes<T>, load(at + kLanes<T>) + high);
              });
}

// inner = silu(gate) * up
template <class W>
void Net<W>::gate_and_up(const Layer& layer, int rows, DecodeScratch<W>& s,
                         const TeamMember& m) const {
  packed_gemm(s.normed.data(), s.dim_stride, rows, layer.gate_up, share(layer.gate_up, m),
              [to = s.inner.data(), stride = static_cast<std::ptrdiff_t>(s.ffn_stride)](
                  int row, int panel, Vec<T> gate, Vec<T> up) {
                const Vec<T> silu = gate / (exp<T>(-gate) + T(1));
                store_narrowed(to + row * stride + panel * kLanes<T>, silu * up);
              });
}

template <class W>
void Net<W>::forward(std::span<const DecodeRow<T>> rows, DecodeScratch<W>& s,
                     const TeamMember& m) const {
  const int count = static_cast<int>(rows.size());
  // Rows are dealt out like cards: neighbours often have the same length.
  const auto for_my_rows = [&](const auto& body) {
    for (std::ptrdiff_t r = m.index; r < count; r += m.count) body(r);
  };
  const auto normalize_rows = [&](const AlignedVector<T>& gain) {
    for_my_rows([&](std::ptrdiff_t r) {
      normalize(s.residual.data() + r * s.dim_stride, gain, s.normed.data() + r * s.dim_stride);
    });
    m.sync();
  };
  for_my_rows([&](std::ptrdiff_t r) { embed(rows[r], s.residual.data() + r * s.dim_stride); });
  for (int l = 0; l < config_.layers; ++l) {
    const Layer& layer = layers_[l];
    normalize_rows(layer.input_norm);
    project_qkv(layer, count, s, m);
    m.sync();
    for_my_rows([&](std::ptrdiff_t r) {
      place(layer, l, rows[r], s.qkv.data() + r * s.qkv_stride,
            s.query.data() + r * s.query_stride);
    });
    m.sync();  // rows of one prompt see each other's keys
    for_my_rows([&](std::ptrdiff_t r) {
      attend(l, rows[r], s.query.data() + r * s.query_stride, s.mixed.data() + r * s.head_stride,
             s.members[m.index]);
    });
    m.sync();
    add_product(layer.o, s.mixed.data(), s.head_stride, count, s, m);
    m.sync();
    normalize_rows(layer.post_norm);
    gate_and_up(layer, count, s, m);
    m.sync();
    add_product(layer.down, s.inner.data(), s.ffn_stride, count, s, m);
    m.sync();
  }
  normalize_rows(final_norm_);
}

template <class W>
const Real<W>* Net<W>::logits(std::span<const int> which, DecodeScratch<W>& s,
                              const TeamMember& m) const {
  if (m.index == 0) {  // to the front
    for (std::size_t r = 0; r < which.size(); ++r) {
      if (which[r] == static_cast<int>(r)) continue;
      std::memcpy(s.normed.data() + r * s.dim_stride,
                  s.normed.data() + static_cast<std::size_t>(which[r]) * s.dim_stride,
                  config_.dim * sizeof(W));
    }
  }
  m.sync();
  packed_gemm(s.normed.data(), s.dim_stride, static_cast<int>(which.size()), head_, share(head_, m),
              [to = s.logits.data(), stride = static_cast<std::ptrdiff_t>(s.vocab_stride)](
                  int row, int panel, Vec<T> low, Vec<T> high) {
                T* at = to + row * stride + panel * kPanelWidth<W>;
                store(at, low);
                store(at + kLanes<T>, high);
              });
  m.sync();
  return s.logits.data();
}

}  // namespace

template <class W>
std::unique_ptr<DecodeNet<W>> make_decode_net(const ModelConfig& config,
                                              const WeightPointers<W>& weights) {
  return std::make_unique<Net<W>>(config, weights);
}

}  // namespace ALLOT_KERNEL_SET

#define ALLOT_INSTANTIATE(W)                                      \
  ALLOT_KERNEL(std::unique_ptr<DecodeNet<W>>, make_decode_net<W>, \
               (const ModelConfig& config, const WeightPointers<W>& weights), (config, weights))
ALLOT_INSTANTIATE(float)
ALLOT_INSTANTIATE(double)
ALLOT_INSTANTIATE(Bf16)
#undef ALLOT_INSTANTIATE

}  // namespace allot::lm::kernels
