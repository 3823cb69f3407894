// SwiGLU (Shazeer 2020): out = silu(gate) * up, silu(x) = x / (1 + exp(-x)).
// Instantiated for float and double.
#pragma once

#include <cstdint>

namespace allot::lm::kernels {

// All arrays have `count` numbers.
template <class T>
void swiglu_forward(const T* gate, const T* up, std::int64_t count, T* out);

template <class T>
void swiglu_backward(const T* gate, const T* up, const T* d_out, std::int64_t count, T* d_gate,
                     T* d_up);

}  // namespace allot::lm::kernels
