// Values and gradients against loops in double precision, in every build.
#include "allot/lm/kernels/rms_norm.h"

#include <gtest/gtest.h>

#include "allot/lm/testing/instruction_sets.h"
#include "allot/lm/testing/random_arrays.h"

namespace allot::lm::kernels {
namespace {

constexpr double kEps = 1e-6;

struct Norm {
  std::vector<double> sum, out, inverse, d_input, d_weight;
};

// y_i = w_i s_i / r with r = sqrt(mean(s^2) + eps); dy_i / ds_j = w_i (1[i = j] / r - s_i s_j / (n
// r^3)), summed term by term.
template <class T>
Norm exact_norm(const AlignedVector<T>& x, const AlignedVector<T>* delta,
                const AlignedVector<T>& weight, const AlignedVector<T>& d_out,
                const AlignedVector<T>* d_sum, int rows, int dim) {
  Norm n;
  n.d_weight.assign(dim, 0);
  for (int r = 0; r < rows; ++r) {
    std::vector<double> s(dim);
    double squares = 0, along = 0;
    for (int i = 0; i < dim; ++i) {
      s[i] = x[r * dim + i] + (delta ? (*delta)[r * dim + i] : 0);
      squares += s[i] * s[i];
    }
    const double root = std::sqrt(squares / dim + kEps);
    for (int i = 0; i < dim; ++i) along += weight[i] * d_out[r * dim + i] * s[i];
    for (int i = 0; i < dim; ++i) {
      n.sum.push_back(s[i]);
      n.out.push_back(weight[i] * s[i] / root);
      n.d_weight[i] += d_out[r * dim + i] * s[i] / root;
      n.d_input.push_back((d_sum ? (*d_sum)[r * dim + i] : 0) +
                          weight[i] * d_out[r * dim + i] / root -
                          s[i] * along / (dim * root * root * root));
    }
    n.inverse.push_back(1 / root);
  }
  return n;
}

template <class T>
class RmsNorm : public ::testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(RmsNorm, Types);

TYPED_TEST(RmsNorm, EqualsTheLoopInDoublePrecision) {
  using T = TypeParam;
  const double tolerance = sizeof(T) == 4 ? 1e-5 : 1e-13;
  for_each_instruction_set([&] {
    for (const int dim : {1, 3, 8, 16, 24, 31, 96, 127, 320, 896, 2048}) {
      for (const int rows : {1, 3}) {
        const std::size_t size = static_cast<std::size_t>(rows) * dim;
        const auto x = normals<T>(size, 1), delta = normals<T>(size, 2),
                   weight = normals<T>(dim, 3), d_out = normals<T>(size, 4),
                   d_sum = normals<T>(size, 5);
        for (const auto* residual : {&delta, static_cast<const AlignedVector<T>*>(nullptr)}) {
          const auto* pass = residual ? &d_sum : nullptr;
          const Norm wanted = exact_norm(x, residual, weight, d_out, pass, rows, dim);
          AlignedVector<T> sum(size), out(size), inverse(rows), d_input(size), d_weight(dim, T(0));
          residual_norm_forward(x.data(), residual ? residual->data() : nullptr, weight.data(),
                                std::int64_t{rows}, dim, kEps, sum.data(), out.data(),
                                inverse.data());
          const T* normed = residual ? sum.data() : x.data();
          if (residual) expect_near(sum, wanted.sum, tolerance);
          expect_near(out, wanted.out, tolerance);
          expect_near(inverse, wanted.inverse, tolerance);
          residual_norm_backward(normed, weight.data(), inverse.data(), d_out.data(),
                                 pass ? pass->data() : nullptr, std::int64_t{rows}, dim,
                                 d_input.data(), d_weight.data());
          expect_near(d_input, wanted.d_input, tolerance);
          expect_near(d_weight, wanted.d_weight, tolerance);
          ASSERT_NEAR(inverse_rms(normed, dim, kEps), wanted.inverse[0],
                      tolerance * wanted.inverse[0]);
        }
      }
    }
  });
}

}  // namespace
}  // namespace allot::lm::kernels
