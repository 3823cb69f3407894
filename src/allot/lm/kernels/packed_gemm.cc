#include "allot/lm/kernels/packed_gemm.h"

#include "allot/lm/kernels/packed_gemm_tile.h"

namespace allot::lm::kernels {

template <class T>
PackedMatrix<T>::PackedMatrix(const std::vector<const T*>& outputs, int inputs, const T* gain)
    : inputs(inputs) {
  constexpr int kWidth = kPanelWidth<T>;
  panels = (static_cast<int>(outputs.size()) + kWidth - 1) / kWidth;
  data.assign(static_cast<std::size_t>(panels) * inputs * kWidth, T(0));
  for (std::size_t j = 0; j < outputs.size(); ++j) {
    if (outputs[j] == nullptr) continue;
    T* to = data.data() + (j / kWidth) * inputs * kWidth + j % kWidth;
    for (int i = 0; i < inputs; ++i) {
      to[static_cast<std::size_t>(i) * kWidth] = gain ? outputs[j][i] * gain[i] : outputs[j][i];
    }
  }
}

template <class T>
int packed_panel_width() {
  return kPanelWidth<T>;
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

template struct PackedMatrix<float>;
template struct PackedMatrix<double>;
template int packed_panel_width<float>();
template int packed_panel_width<double>();
template void packed_multiply<float>(const float*, std::ptrdiff_t, int, const PackedMatrix<float>&,
                                     float*, std::ptrdiff_t);
template void packed_multiply<double>(const double*, std::ptrdiff_t, int,
                                      const PackedMatrix<double>&, double*, std::ptrdiff_t);

}  // namespace allot::lm::kernels
