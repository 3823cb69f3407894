#include "allot/lm/kernels/packed_gemm.h"

#include "allot/lm/kernels/packed_gemm_tile.h"

namespace allot::lm::kernels {
namespace ALLOT_KERNEL_SET {
namespace {

// The number of inputs that lie together in a panel.
template <class W>
inline constexpr int kInputStep = std::is_same_v<W, Bf16> ? 2 : 1;

// Steps [begin, end) of one panel, few enough that what is written stays in the first cache.
template <class W>
void pack_steps(std::span<const W* const> outputs, int inputs, int begin, int end, W* panel) {
  constexpr int kStep = kInputStep<W>, kWidth = kPanelWidth<W>;
  for (std::size_t j = 0; j < outputs.size(); ++j) {
    if (outputs[j] == nullptr) continue;
    for (int i = begin * kStep; i < std::min(end * kStep, inputs); ++i) {
      const std::ptrdiff_t step = i / kStep;
      panel[(step * kWidth + static_cast<std::ptrdiff_t>(j)) * kStep + i % kStep] = outputs[j][i];
    }
  }
}

}  // namespace

template <class W>
PackedMatrix<W> pack_matrix(std::span<const W* const> outputs, int inputs) {
  constexpr int kStep = kInputStep<W>, kWidth = kPanelWidth<W>, kBlock = 64;
  const auto panels = static_cast<int>((outputs.size() + kWidth - 1) / kWidth);
  const int steps = (inputs + kStep - 1) / kStep;
  const std::size_t panel_size = static_cast<std::size_t>(steps) * kStep * kWidth;
  PackedMatrix<W> packed{inputs, panels, kWidth, {}};
  packed.data.resize(panels * panel_size);
  for (int p = 0; p < panels; ++p) {
    const std::size_t first = static_cast<std::size_t>(p) * kWidth;
    const auto some = outputs.subspan(first, std::min<std::size_t>(kWidth, outputs.size() - first));
    for (int step = 0; step < steps; step += kBlock) {
      pack_steps(some, inputs, step, std::min(step + kBlock, steps),
                 packed.data.data() + p * panel_size);
    }
  }
  return packed;
}

template <class W>
void packed_multiply(const W* a, std::ptrdiff_t lda, int rows, const PackedMatrix<W>& weight,
                     Real<W>* c, std::ptrdiff_t ldc) {
  using T = Real<W>;
  packed_gemm(a, lda, rows, weight, {0, weight.panels},
              [&](int row, int panel, Vec<T> low, Vec<T> high) {
                T* to = c + row * ldc + panel * kPanelWidth<W>;
                store(to, low);
                store(to + kLanes<T>, high);
              });
}

}  // namespace ALLOT_KERNEL_SET

#define ALLOT_INSTANTIATE(W)                                                                     \
  ALLOT_KERNEL(PackedMatrix<W>, pack_matrix<W>, (std::span<const W* const> outputs, int inputs), \
               (outputs, inputs))                                                                \
  ALLOT_KERNEL(void, packed_multiply<W>,                                                         \
               (const W* a, std::ptrdiff_t lda, int rows, const PackedMatrix<W>& weight,         \
                Real<W>* c, std::ptrdiff_t ldc),                                                 \
               (a, lda, rows, weight, c, ldc))
ALLOT_INSTANTIATE(float)
ALLOT_INSTANTIATE(double)
ALLOT_INSTANTIATE(Bf16)
#undef ALLOT_INSTANTIATE

}  // namespace allot::lm::kernels
