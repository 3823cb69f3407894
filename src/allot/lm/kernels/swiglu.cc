#include "allot/lm/kernels/swiglu.h"

#include <algorithm>

#include "allot/lm/kernels/vector.h"

namespace allot::lm::kernels {
namespace ALLOT_KERNEL_SET {
namespace {

template <class T>
ALLOT_INLINE Vec<T> sigmoid(Vec<T> x) {
  return T(1) / (T(1) + exp<T>(-x));
}

template <class T>
ALLOT_INLINE Vec<T> forward_one(Vec<T> gate, Vec<T> up) {
  return gate * sigmoid<T>(gate) * up;
}

// silu'(x) = s + x s (1 - s) with s = sigmoid(x).
template <class T>
struct Slopes {
  Vec<T> gate, up;
};
template <class T>
ALLOT_INLINE Slopes<T> backward_one(Vec<T> gate, Vec<T> up, Vec<T> d_out) {
  const Vec<T> s = sigmoid<T>(gate);
  const Vec<T> silu = gate * s;
  return {d_out * up * (s + silu * (T(1) - s)), d_out * silu};
}

// The last, partly filled vector: `left` numbers, the other lanes 0.
template <class T>
ALLOT_INLINE Vec<T> load_some(const T* from, std::int64_t left) {
  Vec<T> v = {};
  for (std::int64_t i = 0; i < left; ++i) v[i] = from[i];
  return v;
}
template <class T>
ALLOT_INLINE void store_some(T* to, Vec<T> v, std::int64_t left) {
  for (std::int64_t i = 0; i < left; ++i) to[i] = v[i];
}

}  // namespace

template <class T>
void swiglu_forward(const T* gate, const T* up, std::int64_t count, T* out) {
  std::int64_t i = 0;
  for (; i + kLanes<T> <= count; i += kLanes<T>) {
    store(out + i, forward_one<T>(load(gate + i), load(up + i)));
  }
  const std::int64_t left = count - i;
  if (left == 0) return;
  store_some(out + i, forward_one<T>(load_some(gate + i, left), load_some(up + i, left)), left);
}

template <class T>
void swiglu_backward(const T* gate, const T* up, const T* d_out, std::int64_t count, T* d_gate,
                     T* d_up) {
  std::int64_t i = 0;
  for (; i + kLanes<T> <= count; i += kLanes<T>) {
    const Slopes<T> slopes = backward_one<T>(load(gate + i), load(up + i), load(d_out + i));
    store(d_gate + i, slopes.gate);
    store(d_up + i, slopes.up);
  }
  const std::int64_t left = count - i;
  if (left == 0) return;
  const Slopes<T> slopes = backward_one<T>(load_some(gate + i, left), load_some(up + i, left),
                                           load_some(d_out + i, left));
  store_some(d_gate + i, slopes.gate, left);
  store_some(d_up + i, slopes.up, left);
}

}  // namespace ALLOT_KERNEL_SET

#define ALLOT_INSTANTIATE(T)                                                                      \
  ALLOT_KERNEL(void, swiglu_forward<T>, (const T* gate, const T* up, std::int64_t count, T* out), \
               (gate, up, count, out))                                                            \
  ALLOT_KERNEL(                                                                                   \
      void, swiglu_backward<T>,                                                                   \
      (const T* gate, const T* up, const T* d_out, std::int64_t count, T* d_gate, T* d_up),       \
      (gate, up, d_out, count, d_gate, d_up))
ALLOT_INSTANTIATE(float)
ALLOT_INSTANTIATE(double)
#undef ALLOT_INSTANTIATE

}  // namespace allot::lm::kernels
