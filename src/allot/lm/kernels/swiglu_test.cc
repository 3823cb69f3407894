// Values and gradients against loops in double precision, in every build.
#include "allot/lm/kernels/swiglu.h"

#include <gtest/gtest.h>

#include "allot/lm/testing/instruction_sets.h"
#include "allot/lm/testing/random_arrays.h"

namespace allot::lm::kernels {
namespace {

template <class T>
class Swiglu : public ::testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(Swiglu, Types);

TYPED_TEST(Swiglu, EqualsTheLoopInDoublePrecision) {
  using T = TypeParam;
  const double tolerance = sizeof(T) == 4 ? 1e-6 : 1e-14;
  for_each_instruction_set([&] {
    for (const int ffn : {1, 2, 3, 7, 8, 15, 16, 17, 33, 100, 832, 2048}) {
      constexpr int kRows = 3;
      const auto gate_up = normals<T>(kRows * 2 * ffn, 1, 3), d_out = normals<T>(kRows * ffn, 2);
      std::vector<double> out, d_gate_up(gate_up.size());
      for (int r = 0; r < kRows; ++r) {
        for (int i = 0; i < ffn; ++i) {
          const int gate = r * 2 * ffn + i, up = gate + ffn;
          const double g = gate_up[gate], d = d_out[r * ffn + i], s = 1 / (1 + std::exp(-g));
          out.push_back(g * s * gate_up[up]);
          d_gate_up[gate] = d * gate_up[up] * s * (1 + g * (1 - s));
          d_gate_up[up] = d * g * s;
        }
      }
      AlignedVector<T> made(kRows * ffn), again = d_out, gradient = gate_up;
      swiglu_forward(gate_up.data(), kRows, ffn, made.data());
      swiglu_backward(gradient.data(), again.data(), kRows, ffn, again.data());
      expect_near(made, out, tolerance);
      expect_near(again, out, tolerance);
      expect_near(gradient, d_gate_up, tolerance);
    }
  });
}

// exp(-gate) overflows there; silu is then 0 or the gate itself.
TYPED_TEST(Swiglu, StandsLargeGates) {
  using T = TypeParam;
  for_each_instruction_set([] {
    AlignedVector<T> gate_up = {T(-1e4), T(-200), T(200), T(1e4), 1, 1, 1, 1}, out(4);
    const AlignedVector<T> one(4, T(1));
    swiglu_forward(gate_up.data(), 1, 4, out.data());
    expect_near(out, {0, 0, 200, 1e4}, 1e-6);
    swiglu_backward(gate_up.data(), one.data(), 1, 4, out.data());
    expect_near(out, {0, 0, 200, 1e4}, 1e-6);
    expect_near(gate_up, {0, 0, 1, 1, 0, 0, 200, 1e4}, 1e-6);
  });
}

}  // namespace
}  // namespace allot::lm::kernels
