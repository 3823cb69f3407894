// Against the rotation written out in double precision, in every build.
#include "allot/lm/kernels/rope_rows.h"

#include <gtest/gtest.h>

#include "allot/lm/kernels/rope.h"
#include "allot/lm/testing/instruction_sets.h"
#include "allot/lm/testing/random_arrays.h"

namespace allot::lm::kernels {
namespace {

template <class T>
class RopeRows : public ::testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(RopeRows, Types);

TYPED_TEST(RopeRows, RotatesByThePosition) {
  using T = TypeParam;
  const double tolerance = sizeof(T) == 4 ? 2e-6 : 1e-14, theta = 10000;
  constexpr int kPositions = 2048, kHeads = 3;
  for_each_instruction_set([&] {
    for (const int half : {1, 4, 9, 12, 16, 20, 32, 64}) {
      RopeFrequencies frequencies{.inverse = {}, .amplitude = 1.25};
      for (int i = 0; i < half; ++i)
        frequencies.inverse.push_back(std::pow(theta, -1.0 * i / half));
      const RopeTable<T> angles(kPositions, frequencies);
      const std::vector<std::int32_t> positions = {0, 1, 17, 500, kPositions - 1};
      const auto rows = static_cast<std::int64_t>(positions.size());
      const auto from = normals<T>(rows * kHeads * 2 * half, 1);
      std::vector<double> forward(from.size()), back(from.size());
      for (std::size_t at = 0; at < from.size(); at += 2 * half) {
        const int position = positions[at / (kHeads * 2 * half)];
        for (int i = 0; i < half; ++i) {
          const double angle = position * std::pow(theta, -2.0 * i / (2 * half));
          const double c = 1.25 * std::cos(angle), s = 1.25 * std::sin(angle);
          const double a = from[at + i], b = from[at + half + i];
          forward[at + i] = a * c - b * s;
          forward[at + half + i] = b * c + a * s;
          back[at + i] = a * c + b * s;
          back[at + half + i] = b * c - a * s;
        }
      }
      AlignedVector<T> turned = from, turned_back = from;
      const std::int64_t stride = kHeads * 2 * half;
      rotate_rows(turned.data(), stride, positions.data(), angles.cos.data(), angles.sin.data(),
                  rows, kHeads, half);
      rotate_rows_back(turned_back.data(), stride, positions.data(), angles.cos.data(),
                       angles.sin.data(), rows, kHeads, half);
      expect_near(turned, forward, tolerance);
      expect_near(turned_back, back, tolerance);
    }
  });
}

// Rows may hold more than what is rotated: values behind queries and keys.
TYPED_TEST(RopeRows, LeavesTheRestOfARowAlone) {
  using T = TypeParam;
  constexpr int kHalf = 6, kHeads = 2;
  constexpr std::int64_t kStride = (kHeads + 1) * 2 * kHalf, kRotated = kHeads * 2 * kHalf;
  const RopeTable<T> angles(9, {.inverse = {1, 0.5, 0.2, 0.1, 0.04, 0.01}});
  const std::vector<std::int32_t> positions = {3, 8};
  for_each_instruction_set([&] {
    const auto from = normals<T>(2 * kStride, 1);
    AlignedVector<T> turned = from;
    rotate_rows(turned.data(), kStride, positions.data(), angles.cos.data(), angles.sin.data(), 2,
                kHeads, kHalf);
    for (std::int64_t r = 0; r < 2; ++r) {
      for (std::int64_t i = kRotated; i < kStride; ++i) {
        EXPECT_EQ(turned[r * kStride + i], from[r * kStride + i]);
      }
    }
    EXPECT_NE(turned[0], from[0]);
    rotate_rows_back(turned.data(), kStride, positions.data(), angles.cos.data(), angles.sin.data(),
                     2, kHeads, kHalf);
    expect_near(turned, std::vector<double>(from.begin(), from.end()), 1e-5);
  });
}

}  // namespace
}  // namespace allot::lm::kernels
