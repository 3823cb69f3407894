// Values and gradients against loops in double precision, in every build.
#include "allot/lm/kernels/softmax_rows.h"

#include <gtest/gtest.h>

#include "allot/lm/testing/instruction_sets.h"
#include "allot/lm/testing/random_arrays.h"

namespace allot::lm::kernels {
namespace {

template <class T>
class SoftmaxRows : public ::testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(SoftmaxRows, Types);

TYPED_TEST(SoftmaxRows, EqualsTheLoopInDoublePrecision) {
  using T = TypeParam;
  const double tolerance = sizeof(T) == 4 ? 3e-6 : 1e-13;
  const T scale = T(1.25);
  for_each_instruction_set([&] {
    for (const int vocab : {1, 2, 5, 8, 16, 17, 40, 64, 100, 513, 2048}) {
      const int rows = 3;
      const auto logits = normals<T>(static_cast<std::size_t>(rows) * vocab, 1, 3);
      const auto weight = normals<T>(rows, 2), of_entropy = normals<T>(rows, 3);
      std::vector<double> scaled, log_sum, entropy, gradient, both;
      for (int r = 0; r < rows; ++r) {
        double sum = 0, mixed = 0;
        for (int i = 0; i < vocab; ++i) {
          scaled.push_back(static_cast<double>(scale) * logits[r * vocab + i]);
          sum += std::exp(scaled.back());
        }
        for (int i = 0; i < vocab; ++i) {
          const double z = scaled[r * vocab + i], p = std::exp(z) / sum;
          mixed -= p * std::log(p);
          gradient.push_back(-static_cast<double>(weight[r]) * scale * p);
        }
        for (int i = 0; i < vocab; ++i) {
          const double p = std::exp(scaled[r * vocab + i]) / sum;
          const double slope = -static_cast<double>(of_entropy[r]) * p * (std::log(p) + mixed);
          both.push_back(gradient[r * vocab + i] + slope * scale);
        }
        log_sum.push_back(std::log(sum));
        entropy.push_back(mixed);
      }
      AlignedVector<T> forward = logits, backward = logits, made_sum(rows), made_entropy(rows);
      softmax_rows_forward(forward.data(), rows, vocab, scale, made_sum.data(),
                           made_entropy.data());
      expect_near(forward, scaled, tolerance);
      expect_near(made_sum, log_sum, tolerance);
      expect_near(made_entropy, entropy, tolerance);
      softmax_rows_backward(backward.data(), made_sum.data(), weight.data(), rows, vocab, scale);
      expect_near(backward, gradient, tolerance);
      AlignedVector<T> mixed_backward = logits;
      softmax_entropy_backward(mixed_backward.data(), made_sum.data(), made_entropy.data(),
                               weight.data(), of_entropy.data(), rows, vocab, scale);
      expect_near(mixed_backward, both, tolerance);
    }
  });
}

}  // namespace
}  // namespace allot::lm::kernels
