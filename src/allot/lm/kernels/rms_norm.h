// RMSNorm (Zhang and Sennrich 2019), y = w * x / sqrt(mean(x^2) + eps), with the residual addition
// that precedes it in a transformer: s = x + d, y = norm(s).
//
// Rows are contiguous. All functions are instantiated for float and double.
#pragma once

#include <cstdint>

namespace allot::lm::kernels {

// 1 / sqrt(mean(x^2) + eps) of one row of `dim` numbers.
template <class T>
T inverse_rms(const T* x, int dim, double eps);

// sum = x + delta and out = norm(sum), all [rows, dim]; inverse [rows] is kept for the backward
// pass. Without a residual (delta null) `sum` is not written and x itself is normed.
template <class T>
void residual_norm_forward(const T* x, const T* delta, const T* weight, std::int64_t rows, int dim,
                           double eps, T* sum, T* out, T* inverse);

// d_input = d_sum + (gradient of the norm at `sum` applied to d_out), [rows, dim]; d_sum may be
// null. d_input may be d_sum or d_out. d_weight [dim] is added to.
template <class T>
void residual_norm_backward(const T* sum, const T* weight, const T* inverse, const T* d_out,
                            const T* d_sum, std::int64_t rows, int dim, T* d_input, T* d_weight);

}  // namespace allot::lm::kernels
