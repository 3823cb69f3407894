#include "allot/lm/kernels/rope_rows.h"

#include "allot/lm/kernels/rope.h"
#include "allot/lm/kernels/variant.h"

namespace allot::lm::kernels {
namespace ALLOT_KERNEL_SET {

template <class T>
void rotate_rows(T* values, std::int64_t stride, const std::int32_t* positions, const T* cos,
                 const T* sin, std::int64_t rows, int heads, int half) {
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::int64_t angle = std::int64_t{positions[r]} * half;
    T* head = values + r * stride;
    for (int h = 0; h < heads; ++h, head += 2 * half) {
      rotate(head, cos + angle, sin + angle, half, head);
    }
  }
}

template <class T>
void rotate_rows_back(T* values, std::int64_t stride, const std::int32_t* positions, const T* cos,
                      const T* sin, std::int64_t rows, int heads, int half) {
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::int64_t angle = std::int64_t{positions[r]} * half;
    T* head = values + r * stride;
    for (int h = 0; h < heads; ++h, head += 2 * half) {
      rotate_back(head, cos + angle, sin + angle, half, head);
    }
  }
}

}  // namespace ALLOT_KERNEL_SET

#define ALLOT_INSTANTIATE(T)                                                                  \
  ALLOT_KERNEL(void, rotate_rows<T>,                                                          \
               (T * values, std::int64_t stride, const std::int32_t* positions, const T* cos, \
                const T* sin, std::int64_t rows, int heads, int half),                        \
               (values, stride, positions, cos, sin, rows, heads, half))                      \
  ALLOT_KERNEL(void, rotate_rows_back<T>,                                                     \
               (T * values, std::int64_t stride, const std::int32_t* positions, const T* cos, \
                const T* sin, std::int64_t rows, int heads, int half),                        \
               (values, stride, positions, cos, sin, rows, heads, half))
ALLOT_INSTANTIATE(float)
ALLOT_INSTANTIATE(double)
#undef ALLOT_INSTANTIATE

}  // namespace allot::lm::kernels
