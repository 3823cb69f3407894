// Against products in double precision, and bit for bit against themselves in other tiles.
#include "allot/lm/kernels/packed_gemm.h"

#include <gtest/gtest.h>

#include "allot/lm/testing/instruction_sets.h"
#include "allot/lm/testing/random_arrays.h"

namespace allot::lm::kernels {
namespace {

template <class W>
struct Product {
  using T = Real<W>;
  int rows, outputs, inputs, lda, ldc;
  AlignedVector<W> a, w;
  AlignedVector<T> c;
  PackedMatrix<W> packed;

  Product(int rows, int outputs, int inputs)
      : rows(rows), outputs(outputs), inputs(inputs), lda(inputs + 3) {
    a = normals<W>(static_cast<std::size_t>(rows) * lda, 1);
    w = normals<W>(static_cast<std::size_t>(outputs) * inputs, 2);
    std::vector<const W*> pointers;
    for (int j = 0; j < outputs; ++j) {
      pointers.push_back(j % 5 == 3 ? nullptr : w.data() + static_cast<std::size_t>(j) * inputs);
    }
    packed = pack_matrix<W>(pointers, inputs);
    ldc = packed.columns();
    c.assign(static_cast<std::size_t>(rows) * ldc, T(99));
    packed_multiply(a.data(), lda, rows, packed, c.data(), ldc);
  }
  double expected(int r, int j) const {
    if (j >= outputs || j % 5 == 3) return 0;
    double sum = 0;
    for (int i = 0; i < inputs; ++i) {
      sum += static_cast<double>(widened(a[r * lda + i])) * widened(w[j * inputs + i]);
    }
    return sum;
  }
  // Products of BF16 numbers are exact in float, so Bf16 has the tolerance of float.
  double tolerance() const { return (sizeof(T) == 4 ? 2e-5 : 1e-13) * std::sqrt(inputs) * 4; }
};

template <class T>
class PackedGemm : public ::testing::Test {};
using Types = testing::Types<float, double, Bf16>;
TYPED_TEST_SUITE(PackedGemm, Types);

TYPED_TEST(PackedGemm, EqualsTheProductForEveryTileHeight) {
  for_each_instruction_set([&] {
    for (int rows = 1; rows <= 27; ++rows) {
      for (const auto& [outputs, inputs] : {std::pair{1, 1}, {33, 17}, {96, 24}, {150, 40}}) {
        const Product<TypeParam> p(rows, outputs, inputs);
        for (int r = 0; r < rows; ++r) {
          for (int j = 0; j < p.ldc; ++j) {
            ASSERT_NEAR(p.c[r * p.ldc + j], p.expected(r, j), p.tolerance())
                << rows << " rows, " << outputs << " outputs, element " << r << ", " << j;
          }
        }
      }
    }
  });
}

TYPED_TEST(PackedGemm, EqualsTheProductForRandomShapes) {
  for_each_instruction_set([&] {
    RandomStream stream({.seed = 4, .use = RandomUse::Test});
    for (int i = 0; i < 12; ++i) {
      const int rows = 1 + static_cast<int>(stream.below(70)),
                outputs = 1 + static_cast<int>(stream.below(200)),
                inputs = i == 0 ? 2048 : 1 + static_cast<int>(stream.below(2048));
      const Product<TypeParam> p(rows, outputs, inputs);
      for (int element = 0; element < 500; ++element) {
        const int r = static_cast<int>(stream.below(rows)),
                  j = static_cast<int>(stream.below(p.ldc));
        ASSERT_NEAR(p.c[r * p.ldc + j], p.expected(r, j), p.tolerance())
            << rows << " x " << outputs << " x " << inputs << ", element " << r << ", " << j;
      }
    }
  });
}

TYPED_TEST(PackedGemm, GivesARowTheSameBitsWhateverItsNeighbours) {
  for_each_instruction_set([&] {
    const Product<TypeParam> whole(64, 100, 50);
    for (const int rows : {1, 2, 3, 5, 7, 12, 13, 29}) {
      for (int first = 0; first + rows <= 64; first += 11) {
        AlignedVector<Real<TypeParam>> c(rows * whole.ldc);
        packed_multiply(whole.a.data() + first * whole.lda, whole.lda, rows, whole.packed, c.data(),
                        whole.ldc);
        for (int i = 0; i < rows * whole.ldc; ++i) {
          ASSERT_EQ(c[i], whole.c[first * whole.ldc + i]) << rows << " rows from " << first;
        }
      }
    }
  });
}

TEST(Bf16, RoundsToTheNearestAndTiesToEven) {
  EXPECT_EQ(to_float(to_bf16(1.0f)), 1.0f);
  EXPECT_EQ(to_float(to_bf16(1.0f + 0x1p-8f)), 1.0f);  // halfway, to the even one
  EXPECT_EQ(to_float(to_bf16(1.0f + 3 * 0x1p-8f)), 1.0f + 0x1p-6f);
  EXPECT_EQ(to_float(to_bf16(1.0f + 0x1p-8f + 0x1p-20f)), 1.0f + 0x1p-7f);
  EXPECT_EQ(to_float(to_bf16(-3.0e38f)), -0x1.c4p127f);
  EXPECT_TRUE(std::isnan(to_float(to_bf16(std::bit_cast<float>(0x7f800001)))));
}

}  // namespace
}  // namespace allot::lm::kernels
