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
  Vec<T> gate, up, out;
};
template <class T>
ALLOT_INLINE Slopes<T> backward_one(Vec<T> gate, Vec<T> up, Vec<T> d_out) {
  const Vec<T> s = sigmoid<T>(gate);
  const Vec<T> silu = gate * s;
  return {d_out * up * (s + silu * (T(1) - s)), d_out * silu, silu * up};
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
void swiglu_forward(const T* gate_up, std::int64_t rows, int ffn, T* out) {
  for (std::int64_t r = 0; r < rows; ++r, gate_up += 2 * ffn, out += ffn) {
    const T* up = gate_up + ffn;
    int i = 0;
    for (; i + kLanes<T> <= ffn; i += kLanes<T>) {
      store(out + i, forward_one<T>(load(gate_up + i), load(up + i)));
    }
    const int left = ffn - i;
    if (left == 0) continue;
    store_some(out + i, forward_one<T>(load_some(gate_up + i, left), load_some(up + i, left)),
               left);
  }
}

template <class T>
void swiglu_backward(T* gate_up, const T* d_out, std::int64_t rows, int ffn, T* out) {
  for (std::int64_t r = 0; r < rows; ++r, gate_up += 2 * ffn, d_out += ffn, out += ffn) {
    T* up = gate_up + ffn;
    int i = 0;
    for (; i + kLanes<T> <= ffn; i += kLanes<T>) {
      const Slopes<T> slopes = backward_one<T>(load(gate_up + i), load(up + i), load(d_out + i));
      store(gate_up + i, slopes.gate);
      store(up + i, slopes.up);
      store(out + i, slopes.out);
    }
    const int left = ffn - i;
    if (left == 0) continue;
    const Slopes<T> slopes = backward_one<T>(load_some(gate_up + i, left), load_some(up + i, left),
                                             load_some(d_out + i, left));
    store_some(gate_up + i, slopes.gate, left);
    store_some(up + i, slopes.up, left);
    store_some(out + i, slopes.out, left);
  }
}

}  // namespace ALLOT_KERNEL_SET

#define ALLOT_INSTANTIATE(T)                                                                    \
  ALLOT_KERNEL(void, swiglu_forward<T>, (const T* gate_up, std::int64_t rows, int ffn, T* out), \
               (gate_up, rows, ffn, out))                                                       \
  ALLOT_KERNEL(void, swiglu_backward<T>,                                                        \
               (T * gate_up, const T* d_out, std::int64_t rows, int ffn, T* out),               \
               (gate_up, d_out, rows, ffn, out))
ALLOT_INSTANTIATE(float)
ALLOT_INSTANTIATE(double)
#undef ALLOT_INSTANTIATE

}  // namespace allot::lm::kernels
