// RoPE over packed rows: every head of every row is rotated by the angles of the row's position.
// Instantiated for float and double.
#pragma once

#include <cstdint>

namespace allot::lm::kernels {

// from, to [rows, heads * 2 * half]; cos, sin [positions, half]; positions [rows].
template <class T>
void rotate_rows(const T* from, const std::int32_t* positions, const T* cos, const T* sin,
                 std::int64_t rows, int heads, int half, T* to);

// Gradients of rotate_rows, in place.
template <class T>
void rotate_rows_back(T* values, const std::int32_t* positions, const T* cos, const T* sin,
                      std::int64_t rows, int heads, int half);

}  // namespace allot::lm::kernels
