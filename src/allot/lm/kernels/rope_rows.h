// RoPE over packed rows: every head of every row is rotated by the angles of the row's position.
// Instantiated for float and double.
#pragma once

#include <cstdint>

namespace allot::lm::kernels {

// Rotates, in place, the first `heads` heads of 2 * half numbers of every row; rows are `stride`
// numbers apart. cos, sin [positions, half]; positions [rows].
template <class T>
void rotate_rows(T* values, std::int64_t stride, const std::int32_t* positions, const T* cos,
                 const T* sin, std::int64_t rows, int heads, int half);

// Gradients of rotate_rows, in place.
template <class T>
void rotate_rows_back(T* values, std::int64_t stride, const std::int32_t* positions, const T* cos,
                      const T* sin, std::int64_t rows, int heads, int half);

}  // namespace allot::lm::kernels
