// Against the rotation written out in double precision, in every build.
#include "allot/lm/kernels/rope_rows.h"

#include <gtest/gtest.h>

#include "allot/lm/kernels/rope.h"
#include "allot/lm/testing/instruction_sets.h"
#include "allot/lm/testing/random_arrays.h"

namespace allot::lm::kernels {
namespace {

template <class T>
class RopeRows : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(RopeRows, Types);

TYPED_TEST(RopeRows, RotatesByThePosition) {
  using T = TypeParam;
  const double tolerance = sizeof(T) == 4 ? 2e-6 : 1e-14, theta = 10000;
  constexpr int kPositions = 2048, kHeads = 3;
  for_each_instruction_set([&] {
    for (const int half : {1, 4, 9, 12, 16, 20, 32, 64}) {
      const RopeTable<T> angles(kPositions, 2 * half, theta);
      const std::vector<std::int32_t> positions = {0, 1, 17, 500, kPositions - 1};
      const auto rows = static_cast<std::int64_t>(positions.size());
      const auto from = normals<T>(rows * kHeads * 2 * half, 1);
      std::vector<double> forward(from.size()), back(from.size());
      for (std::size_t at = 0; at < from.size(); at += 2 * half) {
        const int position = positions[at / (kHeads * 2 * half)];
        for (int i = 0; i < half; ++i) {
          const double angle = position * std::pow(theta, -2.0 * i / (2 * half));
          const double c = std::cos(angle), s = std::sin(angle);
          const double a = from[at + i], b = from[at + half + i];
          forward[at + i] = a * c - b * s;
          forward[at + half + i] = b * c + a * s;
          back[at + i] = a * c + b * s;
          back[at + half + i] = b * c - a * s;
        }
      }
      AlignedVector<T> to(from.size()), turned_back = from;
      rotate_rows(from.data(), positions.data(), angles.cos.data(), angles.sin.data(), rows, kHeads,
                  half, to.data());
      rotate_rows_back(turned_back.data(), positions.data(), angles.cos.data(), angles.sin.data(),
                       rows, kHeads, half);
      expect_near(to, forward, tolerance);
      expect_near(turned_back, back, tolerance);
    }
  });
}

}  // namespace
}  // namespace allot::lm::kernels
