// RMSNorm rows, forward and backward. With x = s * inv and g = w * dy:
//   ds = inv * (g - x * mean(g * x)),  dw = sum over rows of dy * x.
#include "allot/lm/kernels/rms_norm.h"

#include <cmath>

#include "allot/lm/kernels/aligned_vector.h"
#include "allot/lm/kernels/vector.h"

namespace allot::lm::kernels {
namespace ALLOT_KERNEL_SET {
namespace {

template <class T>
ALLOT_INLINE T sum_of_products(const T* a, const T* b, int n) {
  Vec<T> sum = {};
  int i = 0;
  for (; i + kLanes<T> <= n; i += kLanes<T>) sum += load(a + i) * load(b + i);
  T total = lane_sum<T>(sum);
  for (; i < n; ++i) total += a[i] * b[i];
  return total;
}

}  // namespace

template <class T>
T inverse_rms(const T* x, int dim, double eps) {
  return T(1) / std::sqrt(sum_of_products(x, x, dim) / T(dim) + static_cast<T>(eps));
}

template <class T>
void residual_norm_forward(const T* x, const T* delta, const T* weight, std::int64_t rows, int dim,
                           double eps, T* sum, T* out, T* inverse) {
  for (std::int64_t r = 0; r < rows; ++r) {
    const T* from = x + r * dim;
    if (delta != nullptr) {
      const T* add = delta + r * dim;
      T* to = sum + r * dim;
      for (int i = 0; i < dim; ++i) to[i] = from[i] + add[i];
      from = to;
    }
    const T inv = inverse_rms(from, dim, eps);
    inverse[r] = inv;
    T* y = out + r * dim;
    for (int i = 0; i < dim; ++i) y[i] = from[i] * inv * weight[i];
  }
}

template <class T>
void residual_norm_backward(const T* sum, const T* weight, const T* inverse, const T* d_out,
                            const T* d_sum, std::int64_t rows, int dim, T* d_input, T* d_weight) {
  AlignedVector<T> g(dim);
  for (std::int64_t r = 0; r < rows; ++r) {
    const T* s = sum + r * dim;
    const T* dy = d_out + r * dim;
    T* ds = d_input + r * dim;
    const T inv = inverse[r];
    for (int i = 0; i < dim; ++i) {
      g[i] = weight[i] * dy[i];
      d_weight[i] += dy[i] * s[i] * inv;
    }
    const T slope = sum_of_products(g.data(), s, dim) * inv * inv * inv / T(dim);
    if (d_sum != nullptr) {
      const T* pass = d_sum + r * dim;
      for (int i = 0; i < dim; ++i) ds[i] = pass[i] + inv * g[i] - slope * s[i];
    } else {
      for (int i = 0; i < dim; ++i) ds[i] = inv * g[i] - slope * s[i];
    }
  }
}

}  // namespace ALLOT_KERNEL_SET

#define ALLOT_INSTANTIATE(T)                                                                     \
  ALLOT_KERNEL(T, inverse_rms<T>, (const T* x, int dim, double eps), (x, dim, eps))              \
  ALLOT_KERNEL(void, residual_norm_forward<T>,                                                   \
               (const T* x, const T* delta, const T* weight, std::int64_t rows, int dim,         \
                double eps, T* sum, T* out, T* inverse),                                         \
               (x, delta, weight, rows, dim, eps, sum, out, inverse))                            \
  ALLOT_KERNEL(void, residual_norm_backward<T>,                                                  \
               (const T* sum, const T* weight, const T* inverse, const T* d_out, const T* d_sum, \
                std::int64_t rows, int dim, T* d_input, T* d_weight),                            \
               (sum, weight, inverse, d_out, d_sum, rows, dim, d_input, d_weight))
ALLOT_INSTANTIATE(float)
ALLOT_INSTANTIATE(double)
#undef ALLOT_INSTANTIATE

}  // namespace allot::lm::kernels
