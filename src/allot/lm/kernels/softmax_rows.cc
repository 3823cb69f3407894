#include "allot/lm/kernels/softmax_rows.h"

#include <algorithm>
#include <cmath>

#include "allot/lm/kernels/vector.h"

namespace allot::lm::kernels {
namespace ALLOT_KERNEL_SET {
namespace {

template <class T>
T scale_and_max(T* z, std::int64_t n, T scale) {
  Vec<T> best = broadcast<T>(-std::numeric_limits<T>::infinity());
  std::int64_t i = 0;
  for (; i + kLanes<T> <= n; i += kLanes<T>) {
    const Vec<T> v = load(z + i) * scale;
    store(z + i, v);
    best = vector_max<T>(best, v);
  }
  T largest = lane_max<T>(best);
  for (; i < n; ++i) {
    z[i] *= scale;
    largest = std::max(largest, z[i]);
  }
  return largest;
}

}  // namespace

template <class T>
void softmax_rows_forward(T* logits, std::int64_t rows, std::int64_t vocab, T scale, T* log_sum,
                          T* entropy) {
  for (std::int64_t r = 0; r < rows; ++r) {
    T* z = logits + r * vocab;
    const T largest = scale_and_max(z, vocab, scale);
    // With u = z - max: entropy = log sum e^u - (sum u e^u) / (sum e^u).
    Vec<T> sum = {}, product = {};
    std::int64_t i = 0;
    for (; i + kLanes<T> <= vocab; i += kLanes<T>) {
      const Vec<T> u = load(z + i) - largest;
      const Vec<T> e = exp<T>(u);
      sum += e;
      product += u * e;
    }
    T total = lane_sum<T>(sum), weighted = lane_sum<T>(product);
    for (; i < vocab; ++i) {
      const T u = z[i] - largest;
      const T e = std::exp(u);
      total += e;
      weighted += u * e;
    }
    const T log_total = std::log(total);
    log_sum[r] = largest + log_total;
    entropy[r] = log_total - weighted / total;
  }
}

template <class T>
void softmax_rows_backward(T* logits, const T* log_sum, const T* weight, std::int64_t rows,
                           std::int64_t vocab, T scale) {
  for (std::int64_t r = 0; r < rows; ++r) {
    T* z = logits + r * vocab;
    const T factor = -weight[r] * scale;
    std::int64_t i = 0;
    for (; i + kLanes<T> <= vocab; i += kLanes<T>) {
      store(z + i, exp<T>(load(z + i) * scale - log_sum[r]) * factor);
    }
    for (; i < vocab; ++i) z[i] = std::exp(z[i] * scale - log_sum[r]) * factor;
  }
}

template <class T>
void softmax_entropy_backward(T* logits, const T* log_sum, const T* entropy, const T* weight,
                              const T* entropy_weight, std::int64_t rows, std::int64_t vocab,
                              T scale) {
  for (std::int64_t r = 0; r < rows; ++r) {
    T* z = logits + r * vocab;
    // -weight - e (log p + H) = constant + slope log p
    const T slope = -entropy_weight[r] * scale;
    const T constant = -weight[r] * scale + slope * entropy[r];
    std::int64_t i = 0;
    for (; i + kLanes<T> <= vocab; i += kLanes<T>) {
      const Vec<T> log_p = load(z + i) * scale - log_sum[r];
      store(z + i, exp<T>(log_p) * (log_p * slope + constant));
    }
    for (; i < vocab; ++i) {
      const T log_p = z[i] * scale - log_sum[r];
      z[i] = std::exp(log_p) * (log_p * slope + constant);
    }
  }
}

}  // namespace ALLOT_KERNEL_SET

#define ALLOT_INSTANTIATE(T)                                                                  \
  ALLOT_KERNEL(                                                                               \
      void, softmax_rows_forward<T>,                                                          \
      (T * logits, std::int64_t rows, std::int64_t vocab, T scale, T * log_sum, T * entropy), \
      (logits, rows, vocab, scale, log_sum, entropy))                                         \
  ALLOT_KERNEL(void, softmax_rows_backward<T>,                                                \
               (T * logits, const T* log_sum, const T* weight, std::int64_t rows,             \
                std::int64_t vocab, T scale),                                                 \
               (logits, log_sum, weight, rows, vocab, scale))                                 \
  ALLOT_KERNEL(void, softmax_entropy_backward<T>,                                             \
               (T * logits, const T* log_sum, const T* entropy, const T* weight,              \
                const T* entropy_weight, std::int64_t rows, std::int64_t vocab, T scale),     \
               (logits, log_sum, entropy, weight, entropy_weight, rows, vocab, scale))
ALLOT_INSTANTIATE(float)
ALLOT_INSTANTIATE(double)
#undef ALLOT_INSTANTIATE

}  // namespace allot::lm::kernels
