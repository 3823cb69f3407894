// Attention in blocks of query rows against all keys they see, so that the scores of a block stay
// in the first caches. With S = Q K^T / sqrt(head_dim), P = softmax(S), O = P V:
//   dV = P^T dO,  dP = dO V^T,  dS = P * (dP - rowsum(dO * O)),  dQ = dS K,  dK = dS^T Q
// (both of the latter / sqrt(head_dim)). P is made again in the backward pass from log_sum.
//
// The query heads of one kv head are rows of the same block, query by query: row f of a segment is
// query f / group in head f % group. A block of 24 rows then spans few queries, and little is
// computed beyond what each may see.
#include "allot/lm/kernels/attention.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "allot/lm/kernels/aligned_vector.h"
#include "allot/lm/kernels/lane_fold.h"
#include "allot/lm/kernels/small_matmul.h"

namespace allot::lm::kernels {
namespace ALLOT_KERNEL_SET {
namespace {

constexpr int kBlock = kRowPadding;  // query rows per block

// One segment and one kv head.
template <class T>
struct Sizes {
  Sizes(const HeadShape& shape, const Segment& s)
      : group(shape.group()),
        head_dim(shape.head_dim),
        width(round_up(shape.head_dim, kHalfLanes<T>)),
        prefix(s.prefix_length),
        rows(s.length * shape.group()),
        keys(s.prefix_length + s.length),
        stride(round_up(round_up(keys, kRowPadding), kLanes<T>)) {}
  int group;
  int head_dim;
  int width;   // head_dim in whole half vectors
  int prefix;  // keys of the prefix
  int rows;    // query rows
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

// to[0, head_dim) = scale * from[0, head_dim).
template <class T>
ALLOT_INLINE void write_row(const Sizes<T>& n, const T* from, T scale, T* to) {
  int i = 0;
  for (; i + kHalfLanes<T> <= n.head_dim; i += kHalfLanes<T>) {
    store_half(to + i, load_half(from + i) * scale);
  }
  for (; i < n.head_dim; ++i) to[i] = from[i] * scale;
}

// to[0, width) = scale * from[0, head_dim), then zeros.
template <class T>
ALLOT_INLINE void copy_row(const Sizes<T>& n, const T* from, T scale, T* to) {
  write_row(n, from, scale, to);
  for (int i = n.head_dim; i < n.width; ++i) to[i] = 0;
}

// to[0, head_dim) += from[0, head_dim).
template <class T>
ALLOT_INLINE void add_row(const Sizes<T>& n, const T* from, T* to) {
  int i = 0;
  for (; i + kHalfLanes<T> <= n.head_dim; i += kHalfLanes<T>) {
    store_half(to + i, load_half(to + i) + load_half(from + i));
  }
  for (; i < n.head_dim; ++i) to[i] += from[i];
}

// Sum of a[i] b[i] over `width`, whose padding is 0 in both.
template <class T>
ALLOT_INLINE T dot(const Sizes<T>& n, const T* a, const T* b) {
  Vec<T> sum = {};
  int i = 0;
  for (; i + kLanes<T> <= n.width; i += kLanes<T>) sum += load(a + i) * load(b + i);
  T total = folded_sum<T>(sum);
  for (; i < n.width; ++i) total += a[i] * b[i];
  return total;
}

// from: one kv head of k or v, [rows, row_stride]. to [keys][width], padding columns 0.
template <class T>
void gather(const Sizes<T>& n, const Segment& s, const T* from, std::int64_t row_stride, T* to) {
  for (int j = 0; j < n.keys; ++j) {
    copy_row(n, from + key_row(s, j) * row_stride, T(1), to + std::ptrdiff_t{j} * n.width);
  }
}

// to [head_dim][stride], padding columns 0, from gathered rows [keys][width].
template <class T>
void transpose(const Sizes<T>& n, const T* rows, T* to) {
  for (int i = 0; i < n.head_dim; ++i) {
    T* out = to + std::ptrdiff_t{i} * n.stride;
    for (int j = 0; j < n.keys; ++j) out[j] = rows[std::ptrdiff_t{j} * n.width + i];
    for (int j = n.keys; j < n.stride; ++j) out[j] = 0;
  }
}

// A query row of one kv head.
struct QueryRow {
  std::int64_t in;     // into arrays [rows, row_size()]
  std::int64_t out;    // into arrays [rows, q_size()]
  std::int64_t index;  // into arrays [rows, heads]
  int seen;            // keys that it sees
};

inline const QueryRow* query_rows(const HeadShape& shape, const Segment& s, int kv_head,
                                  Buffer<QueryRow>& buffer) {
  const int group = shape.group();
  QueryRow* const rows = buffer.of(static_cast<std::size_t>(s.length) * group);
  QueryRow* row = rows;
  for (int i = 0; i < s.length; ++i) {
    const std::int64_t at = s.start + i;
    for (int h = kv_head * group; h < (kv_head + 1) * group; ++h) {
      const std::int64_t index = at * shape.heads + h;
      *row++ = {at * shape.row_size() + h * shape.head_dim, index * shape.head_dim, index,
                s.prefix_length + i + 1};
    }
  }
  return rows;
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
  int j = 0;
  for (; j + kLanes<T> <= seen; j += kLanes<T>) best = vector_max<T>(best, load(scores + j));
  if (j < seen) {
    best =
        vector_max<T>(best, lane_index<T>() < seen - j ? load(scores + j) : broadcast<T>(lowest));
  }
  const T largest = folded_max<T>(best);
  Vec<T> sum = {};
  for (j = 0; j + kLanes<T> <= seen; j += kLanes<T>) {
    const Vec<T> e = exp<T>(load(scores + j) - largest);
    store(scores + j, e);
    sum += e;
  }
  if (j < seen) {
    const Vec<T> e = keep_first<T>(exp<T>(load(scores + j) - largest), seen - j);
    store(scores + j, e);
    sum += e;
    j += kLanes<T>;
  }
  for (; j < end; j += kLanes<T>) store(scores + j, Vec<T>{});
  return {largest, folded_sum<T>(sum)};
}

// p[0, seen) -> exp(p - log_sum) and ds -> p * (ds - delta); both 0 from `seen` to `end`.
template <class T>
void softmax_row_backward(T* p, T* ds, T log_sum, T delta, int seen, int end) {
  int j = 0;
  for (; j + kLanes<T> <= seen; j += kLanes<T>) {
    const Vec<T> e = exp<T>(load(p + j) - log_sum);
    store(p + j, e);
    store(ds + j, e * (load(ds + j) - delta));
  }
  if (j < seen) {
    const Vec<T> e = keep_first<T>(exp<T>(load(p + j) - log_sum), seen - j);
    store(p + j, e);
    store(ds + j, keep_first<T>(e * (load(ds + j) - delta), seen - j));
    j += kLanes<T>;
  }
  for (; j < end; j += kLanes<T>) {
    store(p + j, Vec<T>{});
    store(ds + j, Vec<T>{});
  }
}

template <class T>
class Forward {
 public:
  Forward(const HeadShape& shape, const T* qkv, T* out, T* log_sum)
      : shape_(shape), qkv_(qkv), out_(out), log_sum_(log_sum) {}

  void run(const Segment& s) {
    const Sizes<T> n(shape_, s);
    T* gathered = gathered_.of(static_cast<std::size_t>(n.keys) * n.width);
    T* keys = keys_.of(static_cast<std::size_t>(n.head_dim) * n.stride);
    T* values = values_.of(static_cast<std::size_t>(n.keys) * n.width);
    for (int g = 0; g < shape_.kv_heads; ++g) {
      const T* k = qkv_ + shape_.q_size() + g * n.head_dim;
      gather(n, s, k, shape_.row_size(), gathered);
      transpose(n, gathered, keys);
      gather(n, s, k + shape_.kv_size(), shape_.row_size(), values);
      const QueryRow* rows = query_rows(shape_, s, g, rows_);
      for (int f = 0; f < n.rows; f += kBlock) {
        run_block(n, rows + f, std::min(kBlock, n.rows - f), keys, values);
      }
    }
  }

 private:
  void run_block(const Sizes<T>& n, const QueryRow* rows, int count, const T* keys,
                 const T* values) {
    const int limit = rows[count - 1].seen;
    T* queries = queries_.of(static_cast<std::size_t>(kBlock) * n.width);
    T* scores = scores_.of(static_cast<std::size_t>(kBlock) * n.stride);
    T* sums = sums_.of(static_cast<std::size_t>(kBlock) * n.width);
    const T scale = T(1) / std::sqrt(T(n.head_dim));
    for (int r = 0; r < count; ++r) {
      copy_row(n, qkv_ + rows[r].in, scale, queries + r * n.width);
    }
    multiply<T, Read::Rows, Write::Set>(count, limit, n.head_dim, queries, n.width, keys, n.stride,
                                        scores, n.stride);
    T inverse[kBlock];
    for (int r = 0; r < count; ++r) {
      const Softmax<T> softmax =
          softmax_row(scores + std::ptrdiff_t{r} * n.stride, rows[r].seen, limit);
      inverse[r] = T(1) / softmax.sum;
      log_sum_[rows[r].index] = softmax.largest + std::log(softmax.sum);
    }
    multiply<T, Read::Rows, Write::Set>(count, n.head_dim, limit, scores, n.stride, values, n.width,
                                        sums, n.width);
    for (int r = 0; r < count; ++r) {
      write_row(n, sums + r * n.width, inverse[r], out_ + rows[r].out);
    }
  }

  const HeadShape& shape_;
  const T* qkv_;
  T *out_, *log_sum_;
  Buffer<T> gathered_, keys_, values_, queries_, scores_, sums_;
  Buffer<QueryRow> rows_;
};

template <class T>
struct BackwardArrays {
  const T *qkv, *out, *log_sum, *d_out;
  T* d_qkv;
};

// Probabilities of so many numbers are kept together, so that the gradients of keys and values are
// sums over many query rows at once.
constexpr int kChunkNumbers = 4096;

template <class T>
class Backward {
 public:
  Backward(const HeadShape& shape, const BackwardArrays<T>& arrays) : shape_(shape), a_(arrays) {}

  void run(const Segment& s) {
    const Sizes<T> n(shape_, s);
    const int chunk = std::min(round_up(n.rows, kBlock),
                               std::max(1, kChunkNumbers / (n.stride * kBlock)) * kBlock);
    const std::size_t rows = static_cast<std::size_t>(round_up(n.keys, kRowPadding)) * n.width;
    const std::size_t columns = static_cast<std::size_t>(n.head_dim) * n.stride;
    for (Buffer<T>* buffer : {&keys_, &d_keys_, &d_values_}) buffer->of(rows);
    for (Buffer<T>* buffer : {&queries_, &d_out_}) {
      buffer->of(static_cast<std::size_t>(chunk) * n.width);
    }
    for (Buffer<T>* buffer : {&p_, &ds_}) buffer->of(static_cast<std::size_t>(chunk) * n.stride);
    for (int g = 0; g < shape_.kv_heads; ++g) {
      const std::int64_t k = shape_.q_size() + g * n.head_dim, v = k + shape_.kv_size();
      // The values are needed transposed only; d_values holds their rows for a moment.
      gather(n, s, a_.qkv + v, shape_.row_size(), d_values_.of(rows));
      transpose(n, d_values_.of(rows), values_t_.of(columns));
      gather(n, s, a_.qkv + k, shape_.row_size(), keys_.of(rows));
      transpose(n, keys_.of(rows), keys_t_.of(columns));
      std::fill_n(d_keys_.of(rows), rows, T(0));
      std::fill_n(d_values_.of(rows), rows, T(0));
      const QueryRow* query_rows_of_head = query_rows(shape_, s, g, rows_);
      for (int f = 0; f < n.rows; f += chunk) {
        run_chunk(n, query_rows_of_head + f, f, std::min(chunk, n.rows - f));
      }
      scatter(n, s, d_keys_.of(rows), a_.d_qkv + k);
      scatter(n, s, d_values_.of(rows), a_.d_qkv + v);
    }
  }

 private:
  // `count` query rows; `first` is the number of rows[0].
  void run_chunk(const Sizes<T>& n, const QueryRow* rows, int first, int count) {
    for (int f = 0; f < count; f += kBlock) {
      run_block(n, rows + f, std::min(kBlock, count - f), f);
    }
    // Keys from j on are seen by rows from (j - prefix) * group on.
    const auto first_row = [&](int key) {
      return std::clamp((key - n.prefix) * n.group - first, 0, count);
    };
    const int limit = rows[count - 1].seen;
    multiply<T, Read::Columns, Write::Add>(limit, n.head_dim, count, p_.of(0), n.stride,
                                           d_out_.of(0), n.width, d_values_.of(0), n.width,
                                           first_row);
    multiply<T, Read::Columns, Write::Add>(limit, n.head_dim, count, ds_.of(0), n.stride,
                                           queries_.of(0), n.width, d_keys_.of(0), n.width,
                                           first_row);
  }

  // Fills p, ds, queries and d_out of the chunk from row `to` on, and d_q.
  void run_block(const Sizes<T>& n, const QueryRow* rows, int count, int to) {
    const int limit = rows[count - 1].seen;
    T* queries = queries_.of(0) + std::ptrdiff_t{to} * n.width;
    T* d_out = d_out_.of(0) + std::ptrdiff_t{to} * n.width;
    T* p = p_.of(0) + std::ptrdiff_t{to} * n.stride;
    T* ds = ds_.of(0) + std::ptrdiff_t{to} * n.stride;
    T* sums = sums_.of(static_cast<std::size_t>(kBlock) * n.width);
    const T scale = T(1) / std::sqrt(T(n.head_dim));
    T delta[kBlock];
    for (int r = 0; r < count; ++r) {
      const std::ptrdiff_t line = std::ptrdiff_t{r} * n.width;
      copy_row(n, a_.qkv + rows[r].in, scale, queries + line);
      copy_row(n, a_.d_out + rows[r].out, T(1), d_out + line);
      copy_row(n, a_.out + rows[r].out, T(1), sums);
      delta[r] = dot(n, sums, d_out + line);
    }
    multiply<T, Read::Rows, Write::Set>(count, limit, n.head_dim, queries, n.width, keys_t_.of(0),
                                        n.stride, p, n.stride);
    multiply<T, Read::Rows, Write::Set>(count, limit, n.head_dim, d_out, n.width, values_t_.of(0),
                                        n.stride, ds, n.stride);
    for (int r = 0; r < count; ++r) {
      const int seen = rows[r].seen;
      const std::ptrdiff_t line = std::ptrdiff_t{r} * n.stride;
      // Zeros as far as a tile of keys reaches that begins with one that is seen.
      softmax_row_backward(p + line, ds + line, a_.log_sum[rows[r].index], delta[r], seen,
                           std::max(limit, round_up(seen, kRowPadding)));
    }
    multiply<T, Read::Rows, Write::Set>(count, n.head_dim, limit, ds, n.stride, keys_.of(0),
                                        n.width, sums, n.width);
    for (int r = 0; r < count; ++r) {
      write_row(n, sums + r * n.width, scale, a_.d_qkv + rows[r].in);
    }
  }

  // Adds [keys][width] to the rows of one kv head.
  void scatter(const Sizes<T>& n, const Segment& s, const T* from, T* to) {
    for (int j = 0; j < n.keys; ++j) {
      add_row(n, from + std::ptrdiff_t{j} * n.width, to + key_row(s, j) * shape_.row_size());
    }
  }

  const HeadShape& shape_;
  const BackwardArrays<T> a_;
  Buffer<T> keys_, keys_t_, values_t_, d_keys_, d_values_;
  Buffer<T> queries_, d_out_, sums_, p_, ds_;
  Buffer<QueryRow> rows_;
};

}  // namespace

template <class T>
void attention_forward(const HeadShape& shape, std::span<const Segment> segments, const T* qkv,
                       T* out, T* log_sum) {
  Forward<T> pass(shape, qkv, out, log_sum);
  for (const Segment& s : segments) pass.run(s);
}

template <class T>
void attention_backward(const HeadShape& shape, std::span<const Segment> segments, const T* qkv,
                        const T* out, const T* log_sum, const T* d_out, T* d_qkv) {
  Backward<T> pass(shape, {qkv, out, log_sum, d_out, d_qkv});
  for (const Segment& s : segments) pass.run(s);
}

}  // namespace ALLOT_KERNEL_SET

#define ALLOT_INSTANTIATE(T)                                                                     \
  ALLOT_KERNEL(void, attention_forward<T>,                                                       \
               (const HeadShape& shape, std::span<const Segment> segments, const T* qkv, T* out, \
                T* log_sum),                                                                     \
               (shape, segments, qkv, out, log_sum))                                             \
  ALLOT_KERNEL(void, attention_backward<T>,                                                      \
               (const HeadShape& shape, std::span<const Segment> segments, const T* qkv,         \
                const T* out, const T* log_sum, const T* d_out, T* d_qkv),                       \
               (shape, segments, qkv, out, log_sum, d_out, d_qkv))
ALLOT_INSTANTIATE(float)
ALLOT_INSTANTIATE(double)
#undef ALLOT_INSTANTIATE

}  // namespace allot::lm::kernels
