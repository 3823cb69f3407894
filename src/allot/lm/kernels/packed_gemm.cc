#include "allot/lm/kernels/packed_gemm.h"

#include "allot/lm/kernels/packed_gemm_tile.h"

namespace allot::lm::kernels {
namespace ALLOT_KERNEL_SET {

template <class T>
PackedMatrix<T> pack_matrix(std::span<const T* const> outputs, int inputs, const T* gain) {
  constexpr int kWidth = kPanelWidth<T>;
  const auto panels = static_cast<int>((outputs.size() + kWidth - 1) / kWidth);
  PackedMatrix<T> packed{inputs, panels, kWidth, {}};
  packed.data.assign(static_cast<std::size_t>(panels) * inputs * kWidth, T(0));
  for (std::size_t j = 0; j < outputs.size(); ++j) {
    if (outputs[j] == nullptr) continue;
    T* to = packed.data.data() + (j / kWidth) * inputs * kWidth + j % kWidth;
    for (int i = 0; i < inputs; ++i) {
      to[static_cast<std::size_t>(i) * kWidth] = gain ? outputs[j][i] * gain[i] : outputs[j][i];
    }
  }
  return packed;
}

template <class T>
void packed_multiply(const T* a, std::ptrdiff_t lda, int rows, const PackedMatrix<T>& weight, T* c,
                     std::ptrdiff_t ldc) {
  packed_gemm(a, lda, rows, weight, [&](int row, int panel, Vec<T> low, Vec<T> high) {
    T* to = c + row * ldc + panel * kPanelWidth<T>;
    store(to, low);
    store(to + kLanes<T>, high);
  });
}

}  // namespace ALLOT_KERNEL_SET

#define ALLOT_INSTANTIATE(T)                                                                   \
  ALLOT_KERNEL(PackedMatrix<T>, pack_matrix<T>,                                                \
               (std::span<const T* const> outputs, int inputs, const T* gain),                 \
               (outputs, inputs, gain))                                                        \
  ALLOT_KERNEL(void, packed_multiply<T>,                                                       \
               (const T* a, std::ptrdiff_t lda, int rows, const PackedMatrix<T>& weight, T* c, \
                std::ptrdiff_t ldc),                                                           \
               (a, lda, rows, weight, c, ldc))
ALLOT_INSTANTIATE(float)
ALLOT_INSTANTIATE(double)
#undef ALLOT_INSTANTIATE

}  // namespace allot::lm::kernels
