// Values and gradients against loops in double precision, in every build.
#include "allot/lm/kernels/swiglu.h"

#include <gtest/gtest.h>

#include "allot/lm/testing/instruction_sets.h"
#include "allot/lm/testing/random_arrays.h"

namespace allot::lm::kernels {
namespace {

template <class T>
class Swiglu : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(Swiglu, Types);

TYPED_TEST(Swiglu, EqualsTheLoopInDoublePrecision) {
  using T = TypeParam;
  const double tolerance = sizeof(T) == 4 ? 1e-6 : 1e-14;
  for_each_instruction_set([&] {
    for (const int count : {1, 2, 3, 7, 8, 15, 16, 17, 33, 100, 832, 2048}) {
      const auto gate = normals<T>(count, 1, 4), up = normals<T>(count, 2),
                 d_out = normals<T>(count, 3);
      std::vector<double> out, d_gate, d_up;
      for (int i = 0; i < count; ++i) {
        const double g = gate[i], s = 1 / (1 + std::exp(-g));
        out.push_back(g * s * up[i]);
        d_gate.push_back(d_out[i] * up[i] * s * (1 + g * (1 - s)));
        d_up.push_back(d_out[i] * g * s);
      }
      AlignedVector<T> made(count), made_gate(count), made_up(count);
      swiglu_forward(gate.data(), up.data(), std::int64_t{count}, made.data());
      swiglu_backward(gate.data(), up.data(), d_out.data(), std::int64_t{count}, made_gate.data(),
                      made_up.data());
      expect_near(made, out, tolerance);
      expect_near(made_gate, d_gate, tolerance);
      expect_near(made_up, d_up, tolerance);
    }
  });
}

// exp(-gate) overflows there; silu is then 0 or the gate itself.
TYPED_TEST(Swiglu, StandsLargeGates) {
  using T = TypeParam;
  for_each_instruction_set([] {
    const AlignedVector<T> gate = {T(-1e4), T(-200), T(200), T(1e4)}, one(4, T(1));
    AlignedVector<T> out(4), d_gate(4), d_up(4);
    swiglu_forward(gate.data(), one.data(), 4, out.data());
    swiglu_backward(gate.data(), one.data(), one.data(), 4, d_gate.data(), d_up.data());
    expect_near(out, {0, 0, 200, 1e4}, 1e-6);
    expect_near(d_up, {0, 0, 200, 1e4}, 1e-6);
    expect_near(d_gate, {0, 0, 1, 1}, 1e-6);
  });
}

}  // namespace
}  // namespace allot::lm::kernels
