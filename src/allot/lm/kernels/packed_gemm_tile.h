// The inner loops of the packed product, with an epilogue that is given each finished pair of
// vectors in registers. For sources of this folder only: the width is the set's.
#pragma once

#include <algorithm>

#include "allot/lm/kernels/bf16_vector.h"
#include "allot/lm/kernels/packed_gemm.h"
#include "allot/lm/kernels/vector.h"

namespace allot::lm::kernels {
namespace ALLOT_KERNEL_SET {

// How one step of the inner loop adds a row's inputs times two or more vectors of weights. `Step`
// inputs are taken at once.
template <class T>
struct FusedMultiplyAdd {
  using Weight = T;
  using Sum = Vec<T>;
  static constexpr int kStep = 1;
  Vec<T> weight;
  ALLOT_INLINE void load_weights(const T* from) { weight = load(from); }
  struct Input {
    Vec<T> value;
    ALLOT_INLINE explicit Input(const T* from) : value(broadcast(*from)) {}
  };
  ALLOT_INLINE void add(const Input& input, Vec<T>& sum) const { sum += input.value * weight; }
};

// BF16 numbers are made floats in registers.
struct WidenBf16 {
  using Weight = Bf16;
  static constexpr int kStep = 2;
  Vec<float> first, second;
  ALLOT_INLINE void load_weights(const Bf16* from) {
    const PairVec pairs = load_pairs(from);
    first = lower(pairs);
    second = upper(pairs);
  }
  struct Input {
    Vec<float> first, second;
    ALLOT_INLINE explicit Input(const Bf16* from)
        : first(lower(broadcast_pair(from))), second(upper(broadcast_pair(from))) {}
  };
  ALLOT_INLINE void add(const Input& input, Vec<float>& sum) const {
    sum += input.first * first;
    sum += input.second * second;
  }
};

#if ALLOT_VECTOR_BYTES == 64
// The processor's own product of pairs. Assembly, because a builtin would ask for a build of its
// own; only run where InstructionSet::Avx512Bf16 is in force.
struct DotBf16 {
  using Weight = Bf16;
  static constexpr int kStep = 2;
  PairVec weight;
  ALLOT_INLINE void load_weights(const Bf16* from) { weight = load_pairs(from); }
  struct Input {
    PairVec value;
    ALLOT_INLINE explicit Input(const Bf16* from) : value(broadcast_pair(from)) {}
  };
  ALLOT_INLINE void add(const Input& input, Vec<float>& sum) const {
    asm("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(input.value), "v"(weight));
  }
};
#endif

// A tile is kTileRows x 2 vectors: as many sums as the registers hold beside the operands.
inline constexpr int kTileRows = ALLOT_VECTOR_BYTES == 64 ? 12 : 6;
template <class W>
inline constexpr int kPanelWidth = 2 * kLanes<Real<W>>;

// With few rows, several panels at once keep the multiply-add units busy.
constexpr int panels_at_once(int rows) {
  const int fit = kTileRows / rows;
  return fit >= 4 ? 4 : fit >= 2 ? 2 : 1;
}

// What all tiles of a product share.
template <class Product>
struct TileArguments {
  using W = typename Product::Weight;
  const W* a;
  std::ptrdiff_t lda;
  const PackedMatrix<W>& weight;
};

// Rows [row, row + Rows) times Panels panels from `panel` on. Lines of `ahead`, which the next
// panel begins with, are asked for meanwhile.
template <int Rows, int Panels, class Product, class Epilogue>
ALLOT_INLINE void packed_tile(const TileArguments<Product>& t, int row, int panel,
                              const void* ahead, const Epilogue& epilogue) {
  using W = typename Product::Weight;
  using T = Real<W>;
  constexpr int kStep = Product::kStep, kVector = kLanes<T> * kStep, kWidth = 2 * kVector;
  const int steps = (t.weight.inputs + kStep - 1) / kStep;
  const std::size_t panel_size = static_cast<std::size_t>(steps) * kWidth;
  const W* w = t.weight.data.data() + panel * panel_size;
  const W* from = t.a + row * t.lda;
  const char* line = static_cast<const char*>(ahead);
  Vec<T> sum[Rows][2 * Panels] = {};
  for (int i = 0; i < steps; ++i) {
    Product b[2 * Panels];
#pragma GCC unroll 8
    for (int j = 0; j < 2 * Panels; ++j) {
      b[j].load_weights(w + (j / 2) * panel_size + (j % 2) * kVector);
    }
    w += kWidth;
    __builtin_prefetch(line, 0, 2);
    line += kWidth * sizeof(W);
#pragma GCC unroll 12
    for (int r = 0; r < Rows; ++r) {
      const typename Product::Input x(from + r * t.lda + i * kStep);
#pragma GCC unroll 8
      for (int j = 0; j < 2 * Panels; ++j) b[j].add(x, sum[r][j]);
    }
  }
#pragma GCC unroll 12
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
    for (int p = 0; p < Panels; ++p) {
      epilogue(row + r, panel + p, sum[r][2 * p], sum[r][2 * p + 1]);
    }
  }
}

template <int Rows, class Product, class Epilogue>
[[gnu::noinline]] void packed_rows(const TileArguments<Product>& t, int row, int panel, int panels,
                                   const void* ahead, const Epilogue& epilogue) {
  constexpr int kAtOnce = panels_at_once(Rows);
  int p = 0;
  for (; p + kAtOnce <= panels; p += kAtOnce) {
    packed_tile<Rows, kAtOnce>(t, row, panel + p, ahead, epilogue);
  }
  if constexpr (kAtOnce > 1) {
    for (; p < panels; ++p) packed_tile<Rows, 1>(t, row, panel + p, ahead, epilogue);
  }
}

template <int Rows, class Product, class Epilogue>
void packed_rows_dispatch(int rows, const TileArguments<Product>& t, int row, int panel, int panels,
                          const void* ahead, const Epilogue& epilogue) {
  if (rows == Rows) {
    packed_rows<Rows>(t, row, panel, panels, ahead, epilogue);
  } else if constexpr (Rows > 1) {
    packed_rows_dispatch<Rows - 1>(rows, t, row, panel, panels, ahead, epilogue);
  }
}

struct PanelRange {
  int begin, end;
};

template <class Product, class Epilogue>
void packed_tiles(const TileArguments<Product>& t, int rows, PanelRange range,
                  const Epilogue& epilogue) {
  constexpr std::size_t kLine = 64;
  const int tiles = (rows + kTileRows - 1) / kTileRows;
  const std::size_t panel_size = t.weight.data.size() / std::max(t.weight.panels, 1);
  // One panel stays in the first caches while all tiles use it, and the next one comes in; a single
  // tile needs no such order and takes all panels at once.
  const int panels_per_pass = tiles == 1 ? range.end - range.begin : 1;
  for (int panel = range.begin; panel < range.end; panel += panels_per_pass) {
    int row = 0;
    const auto* ahead =
        reinterpret_cast<const char*>(t.weight.data.data() + (panel + 1) * panel_size);
    for (int tile = 0; tile < tiles; ++tile) {
      const int height = (rows - row + tiles - tile - 1) / (tiles - tile);
      packed_rows_dispatch<kTileRows>(height, t, row, panel, panels_per_pass,
                                      ahead + tile % 2 * kLine, epilogue);
      row += height;
    }
  }
}

// epilogue(row, panel, low, high) is called once for every row and every panel of the range; low
// and high are the panel's first and second vector of sums. Rows are cut into tiles of nearly equal
// height.
template <class W, class Epilogue>
void packed_gemm(const W* a, std::ptrdiff_t lda, int rows, const PackedMatrix<W>& weight,
                 PanelRange range, const Epilogue& epilogue) {
  if (rows == 0 || range.begin == range.end) return;
  if constexpr (std::is_same_v<W, Bf16>) {
#if ALLOT_VECTOR_BYTES == 64
    if (instruction_set() == InstructionSet::Avx512Bf16) {
      packed_tiles<DotBf16>({a, lda, weight}, rows, range, epilogue);
      return;
    }
#endif
    packed_tiles<WidenBf16>({a, lda, weight}, rows, range, epilogue);
  } else {
    packed_tiles<FusedMultiplyAdd<W>>({a, lda, weight}, rows, range, epilogue);
  }
}

}  // namespace ALLOT_KERNEL_SET
}  // namespace allot::lm::kernels
