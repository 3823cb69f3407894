#include "allot/lm/kernels/rope_rows.h"

#include "allot/lm/kernels/rope.h"
#include "allot/lm/kernels/variant.h"

namespace allot::lm::kernels {
namespace ALLOT_KERNEL_SET {

template <class T>
void rotate_rows(const T* from, const std::int32_t* positions, const T* cos, const T* sin,
                 std::int64_t rows, int heads, int half, T* to) {
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::int64_t angle = std::int64_t{positions[r]} * half;
    for (std::int64_t h = r * heads; h < (r + 1) * heads; ++h) {
      rotate(from + h * 2 * half, cos + angle, sin + angle, half, to + h * 2 * half);
    }
  }
}

template <class T>
void rotate_rows_back(T* values, const std::int32_t* positions, const T* cos, const T* sin,
                      std::int64_t rows, int heads, int half) {
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::int64_t angle = std::int64_t{positions[r]} * half;
    for (std::int64_t h = r * heads; h < (r + 1) * heads; ++h) {
      T* head = values + h * 2 * half;
      rotate_back(head, cos + angle, sin + angle, half, head);
    }
  }
}

}  // namespace ALLOT_KERNEL_SET

#define ALLOT_INSTANTIATE(T)                                                              \
  ALLOT_KERNEL(void, rotate_rows<T>,                                                      \
               (const T* from, const std::int32_t* positions, const T* cos, const T* sin, \
                std::int64_t rows, int heads, int half, T* to),                           \
               (from, positions, cos, sin, rows, heads, half, to))                        \
  ALLOT_KERNEL(void, rotate_rows_back<T>,                                                 \
               (T * values, const std::int32_t* positions, const T* cos, const T* sin,    \
                std::int64_t rows, int heads, int half),                                  \
               (values, positions, cos, sin, rows, heads, half))
ALLOT_INSTANTIATE(float)
ALLOT_INSTANTIATE(double)
#undef ALLOT_INSTANTIATE

}  // namespace allot::lm::kernels
