// Attention in blocks of 24 queries against all keys they see, so that the scores of a block stay
// in the first caches. With S = Q K^T / sqrt(head_dim), P = softmax(S), O = P V:
//   dV = P^T dO,  dP = dO V^T,  dS = P * (dP - rowsum(dO * O)),  dQ = dS K,  dK = dS^T Q
// (both of the latter / sqrt(head_dim)). P is made again in the backward pass from log_sum.
#include "allot/lm/kernels/attention.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "allot/lm/kernels/aligned_vector.h"
#include "allot/lm/kernels/small_matmul.h"

namespace allot::lm::kernels {
namespace ALLOT_KERNEL_SET {
namespace {

constexpr int kBlock = kRowPadding;  // queries per block

// One segment's keys seen by one kv head, copied next to each other and padded.
template <class T>
struct Sizes {
  Sizes(const HeadShape& shape, const Segment& s)
      : head_dim(shape.head_dim),
        width(round_up(shape.head_dim, kLanes<T>)),
        keys(s.prefix_length + s.length),
        stride(round_up(round_up(keys, kRowPadding), kLanes<T>)) {}
  int head_dim;
  int width;   // head_dim in whole vectors
  int keys;    // prefix and own rows
  int stride;  // keys with room for padding: of scores and of transposed keys
};

// Row of the packed batch that key `j` of a segment is.
inline std::int64_t key_row(const Segment& s, int j) {
  return j < s.prefix_length ? s.prefix_start + j : s.start + (j - s.prefix_length);
}

// A buffer that only grows; its old contents are unspecified.
template <class T>
class Buffer {
 public:
  T* of(std::size_t size) {
    if (values_.size() < size) values_.resize(size);
    return values_.data();
  }

 private:
  AlignedVector<T> values_;
};

// from: one kv head of k or v, [rows, row_stride]. to [keys][width], padding columns 0.
template <class T>
void gather(const Sizes<T>& n, const Segment& s, const T* from, std::int64_t row_stride, T* to) {
  for (int j = 0; j < n.keys; ++j) {
    const T* row = from + key_row(s, j) * row_stride;
    T* out = to + static_cast<std::ptrdiff_t>(j) * n.width;
    for (int i = 0; i < n.head_dim; ++i) out[i] = row[i];
    for (int i = n.head_dim; i < n.width; ++i) out[i] = 0;
  }
}

// to [head_dim][stride], padding columns 0, from gathered rows [keys][width].
template <class T>
void transpose(const Sizes<T>& n, const T* rows, T* to) {
  for (int i = 0; i < n.head_dim; ++i) {
    T* out = to + static_cast<std::ptrdiff_t>(i) * n.stride;
    for (int j = 0; j < n.keys; ++j) out[j] = rows[static_cast<std::ptrdiff_t>(j) * n.width + i];
    for (int j = n.keys; j < n.stride; ++j) out[j] = 0;
  }
}

// Rows of one query head times `scale`: to [count][width], padding columns 0.
template <class T>
void copy_block(const Sizes<T>& n, const T* from, std::int64_t row_stride, int count, T scale,
                T* to) {
  for (int r = 0; r < count; ++r) {
    const T* row = from + r * row_stride;
    T* out = to + static_cast<std::ptrdiff_t>(r) * n.width;
    for (int i = 0; i < n.head_dim; ++i) out[i] = row[i] * scale;
    for (int i = n.head_dim; i < n.width; ++i) out[i] = 0;
  }
}

template <class T>
ALLOT_INLINE Vec<T> keep_first(Vec<T> v, int count) {
  return lane_index<T>() < count ? v : Vec<T>{};
}

// scores[0, seen) -> exp(scores - max), zeros up to `end`. Returns {max, sum}.
template <class T>
struct Softmax {
  T largest, sum;
};
template <class T>
Softmax<T> softmax_row(T* scores, int seen, int end) {
  const T lowest = -std::numeric_limits<T>::infinity();
  Vec<T> best = broadcast<T>(lowest);
  for (int j = 0; j < seen; j += kLanes<T>) {
    const Vec<T> v = load(scores + j);
    best = vector_max<T>(best, lane_index<T>() < seen - j ? v : broadcast<T>(lowest));
  }
  const T largest = lane_max<T>(best);
  Vec<T> sum = {};
  int j = 0;
  for (; j < seen; j += kLanes<T>) {
    const Vec<T> e = keep_first<T>(exp<T>(load(scores + j) - largest), seen - j);
    store(scores + j, e);
    sum += e;
  }
  for (; j < end; j += kLanes<T>) store(scores + j, Vec<T>{});
  return {largest, lane_sum<T>(sum)};
}

// p[0, seen) -> exp(p - log_sum) and ds -> p * (ds - delta); both 0 from `seen` to `end`.
template <class T>
void softmax_row_backward(T* p, T* ds, T log_sum, T delta, int seen, int end) {
  int j = 0;
  for (; j < seen; j += kLanes<T>) {
    const Vec<T> e = keep_first<T>(exp<T>(load(p + j) - log_sum), seen - j);
    store(p + j, e);
    store(ds + j, keep_first<T>(e * (load(ds + j) - delta), seen - j));
  }
  for (; j < end; j += kLanes<T>) {
    store(p + j, Vec<T>{});
    store(ds + j, Vec<T>{});
  }
}

// Columns of a score block that may be read as padding.
template <class T>
int padded_keys(int limit) {
  return round_up(round_up(limit, kRowPadding), kLanes<T>);
}

template <class T>
class Forward {
 public:
  Forward(const HeadShape& shape, const T* q, const T* k, const T* v, T* out, T* log_sum)
      : shape_(shape),
        q_(q),
        k_(k),
        v_(v),
        out_(out),
        log_sum_(log_sum),
        q_stride_(std::int64_t{shape.heads} * shape.head_dim),
        kv_stride_(std::int64_t{shape.kv_heads} * shape.head_dim) {}

  void run(const Segment& s) {
    const Sizes<T> n(shape_, s);
    T* gathered = gathered_.of(static_cast<std::size_t>(n.keys) * n.width);
    T* keys = keys_.of(static_cast<std::size_t>(n.head_dim) * n.stride);
    T* values = values_.of(static_cast<std::size_t>(n.keys) * n.width);
    for (int g = 0; g < shape_.kv_heads; ++g) {
      gather(n, s, k_ + std::int64_t{g} * n.head_dim, kv_stride_, gathered);
      transpose(n, gathered, keys);
      gather(n, s, v_ + std::int64_t{g} * n.head_dim, kv_stride_, values);
      for (int h = g * shape_.group(); h < (g + 1) * shape_.group(); ++h) {
        for (int i = 0; i < s.length; i += kBlock) run_block(n, s, h, i, keys, values);
      }
    }
  }

 private:
  void run_block(const Sizes<T>& n, const Segment& s, int head, int first, const T* keys,
                 const T* values) {
    const int count = std::min(kBlock, s.length - first);
    const int limit = s.prefix_length + first + count;
    T* queries = queries_.of(static_cast<std::size_t>(kBlock) * n.width);
    T* scores = scores_.of(static_cast<std::size_t>(kBlock) * n.stride);
    T* sums = sums_.of(static_cast<std::size_t>(kBlock) * n.width);
    const std::int64_t row = s.start + first;
    const std::int64_t at = row * q_stride_ + std::int64_t{head} * n.head_dim;
    copy_block(n, q_ + at, q_stride_, count, T(1) / std::sqrt(T(n.head_dim)), queries);
    multiply<T, Read::Rows, Write::Set>(count, limit, n.head_dim, queries, n.width, keys, n.stride,
                                        scores, n.stride);
    T scale[kBlock];
    for (int r = 0; r < count; ++r) {
      const Softmax<T> softmax = softmax_row(scores + static_cast<std::ptrdiff_t>(r) * n.stride,
                                             s.prefix_length + first + r + 1, limit);
      scale[r] = T(1) / softmax.sum;
      log_sum_[(row + r) * shape_.heads + head] = softmax.largest + std::log(softmax.sum);
    }
    multiply<T, Read::Rows, Write::Set>(count, n.head_dim, limit, scores, n.stride, values, n.width,
                                        sums, n.width);
    for (int r = 0; r < count; ++r) {
      T* to = out_ + at + r * q_stride_;
      for (int i = 0; i < n.head_dim; ++i) to[i] = sums[r * n.width + i] * scale[r];
    }
  }

  const HeadShape& shape_;
  const T *q_, *k_, *v_;
  T *out_, *log_sum_;
  const std::int64_t q_stride_, kv_stride_;
  Buffer<T> gathered_, keys_, values_, queries_, scores_, sums_;
};

template <class T>
struct BackwardArrays {
  const T *q, *k, *v, *out, *log_sum, *d_out;
  T *d_q, *d_k, *d_v;
};

template <class T>
class Backward {
 public:
  Backward(const HeadShape& shape, const BackwardArrays<T>& arrays)
      : shape_(shape),
        a_(arrays),
        q_stride_(std::int64_t{shape.heads} * shape.head_dim),
        kv_stride_(std::int64_t{shape.kv_heads} * shape.head_dim) {}

  void run(const Segment& s) {
    const Sizes<T> n(shape_, s);
    const std::size_t rows = static_cast<std::size_t>(round_up(n.keys, kRowPadding)) * n.width;
    const std::size_t columns = static_cast<std::size_t>(n.head_dim) * n.stride;
    keys_.of(rows);
    d_keys_.of(rows);
    d_values_.of(rows);
    for (int g = 0; g < shape_.kv_heads; ++g) {
      const std::int64_t offset = std::int64_t{g} * n.head_dim;
      // The values are needed transposed only; d_values holds their rows for a moment.
      gather(n, s, a_.v + offset, kv_stride_, d_values_.of(rows));
      transpose(n, d_values_.of(rows), values_t_.of(columns));
      gather(n, s, a_.k + offset, kv_stride_, keys_.of(rows));
      transpose(n, keys_.of(rows), keys_t_.of(columns));
      std::fill_n(d_keys_.of(rows), rows, T(0));
      std::fill_n(d_values_.of(rows), rows, T(0));
      for (int h = g * shape_.group(); h < (g + 1) * shape_.group(); ++h) {
        for (int i = 0; i < s.length; i += kBlock) run_block(n, s, h, i);
      }
      scatter(n, s, d_keys_.of(rows), a_.d_k + offset);
      scatter(n, s, d_values_.of(rows), a_.d_v + offset);
    }
  }

 private:
  void run_block(const Sizes<T>& n, const Segment& s, int head, int first) {
    const int count = std::min(kBlock, s.length - first);
    const int limit = s.prefix_length + first + count;
    const std::size_t block = static_cast<std::size_t>(kBlock) * n.width;
    T* queries = queries_.of(block);
    T* d_out = d_out_.of(block);
    T* d_queries = d_queries_.of(block);
    T* p = p_.of(static_cast<std::size_t>(kBlock) * n.stride);
    T* ds = ds_.of(static_cast<std::size_t>(kBlock) * n.stride);
    const T scale = T(1) / std::sqrt(T(n.head_dim));
    const std::int64_t row = s.start + first;
    const std::int64_t at = row * q_stride_ + std::int64_t{head} * n.head_dim;

    copy_block(n, a_.q + at, q_stride_, count, scale, queries);
    copy_block(n, a_.d_out + at, q_stride_, count, T(1), d_out);
    multiply<T, Read::Rows, Write::Set>(count, limit, n.head_dim, queries, n.width, keys_t_.of(0),
                                        n.stride, p, n.stride);
    multiply<T, Read::Rows, Write::Set>(count, limit, n.head_dim, d_out, n.width, values_t_.of(0),
                                        n.stride, ds, n.stride);
    for (int r = 0; r < count; ++r) {
      const T* o = a_.out + at + r * q_stride_;
      T delta = 0;
      for (int i = 0; i < n.head_dim; ++i) delta += o[i] * d_out[r * n.width + i];
      const std::ptrdiff_t line = static_cast<std::ptrdiff_t>(r) * n.stride;
      softmax_row_backward(p + line, ds + line, a_.log_sum[(row + r) * shape_.heads + head], delta,
                           s.prefix_length + first + r + 1, padded_keys<T>(limit));
    }
    multiply<T, Read::Rows, Write::Set>(count, n.head_dim, limit, ds, n.stride, keys_.of(0),
                                        n.width, d_queries, n.width);
    multiply<T, Read::Columns, Write::Add>(limit, n.head_dim, count, p, n.stride, d_out, n.width,
                                           d_values_.of(0), n.width);
    multiply<T, Read::Columns, Write::Add>(limit, n.head_dim, count, ds, n.stride, queries, n.width,
                                           d_keys_.of(0), n.width);
    for (int r = 0; r < count; ++r) {
      T* to = a_.d_q + at + r * q_stride_;
      for (int i = 0; i < n.head_dim; ++i) to[i] = d_queries[r * n.width + i] * scale;
    }
  }

  // Adds [keys][width] to the rows of one kv head.
  void scatter(const Sizes<T>& n, const Segment& s, const T* from, T* to) {
    for (int j = 0; j < n.keys; ++j) {
      T* row = to + key_row(s, j) * kv_stride_;
      const T* add = from + static_cast<std::ptrdiff_t>(j) * n.width;
      for (int i = 0; i < n.head_dim; ++i) row[i] += add[i];
    }
  }

  const HeadShape& shape_;
  const BackwardArrays<T> a_;
  const std::int64_t q_stride_, kv_stride_;
  Buffer<T> keys_, keys_t_, values_t_, d_keys_, d_values_;
  Buffer<T> queries_, d_out_, d_queries_, p_, ds_;
};

}  // namespace

template <class T>
void attention_forward(const HeadShape& shape, std::span<const Segment> segments, const T* q,
                       const T* k, const T* v, T* out, T* log_sum) {
  Forward<T> pass(shape, q, k, v, out, log_sum);
  for (const Segment& s : segments) pass.run(s);
}

template <class T>
void attention_backward(const HeadShape& shape, std::span<const Segment> segments, const T* q,
                        const T* k, const T* v, const T* out, const T* log_sum, const T* d_out,
                        T* d_q, T* d_k, T* d_v) {
  Backward<T> pass(shape, {q, k, v, out, log_sum, d_out, d_q, d_k, d_v});
  for (const Segment& s : segments) pass.run(s);
}

}  // namespace ALLOT_KERNEL_SET

#define ALLOT_INSTANTIATE(T)                                                                       \
  ALLOT_KERNEL(void, attention_forward<T>,                                                         \
               (const HeadShape& shape, std::span<const Segment> segments, const T* q, const T* k, \
                const T* v, T* out, T* log_sum),                                                   \
               (shape, segments, q, k, v, out, log_sum))                                           \
  ALLOT_KERNEL(                                                                                    \
      void, attention_backward<T>,                                                                 \
      (const HeadShape& shape, std::span<const Segment> segments, const T* q, const T* k,          \
       const T* v, const T* out, const T* log_sum, const T* d_out, T* d_q, T* d_k, T* d_v),        \
      (shape, segments, q, k, v, out, log_sum, d_out, d_q, d_k, d_v))
ALLOT_INSTANTIATE(float)
ALLOT_INSTANTIATE(double)
#undef ALLOT_INSTANTIATE

}  // namespace allot::lm::kernels
