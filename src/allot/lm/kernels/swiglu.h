// SwiGLU (Shazeer 2020): out = silu(gate) * up, silu(x) = x / (1 + exp(-x)).
// Instantiated for float and double.
#pragma once

#include <cstdint>

namespace allot::lm::kernels {

// gate_up [rows, 2 * ffn]: the gates of a row, then its ups. out [rows, ffn].
template <class T>
void swiglu_forward(const T* gate_up, std::int64_t rows, int ffn, T* out);

// Overwrites gate_up by its gradient, in its layout. Also makes `out` again, so that nobody needs
// to keep it. d_out [rows, ffn] may be `out`.
template <class T>
void swiglu_backward(T* gate_up, const T* d_out, std::int64_t rows, int ffn, T* out);

}  // namespace allot::lm::kernels
