#include "allot/lm/matmul.h"

#include <cmath>

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>

#include "allot/core/random.h"
#include "allot/lm/allocator.h"
#include "allot/lm/tensor.h"

namespace allot::lm {
namespace {

constexpr double kLargestError = 1e-5;  // full float stays below 1e-6, bfloat16 above 1e-3

// Normal numbers without touching the library's global generator.
at::Tensor test_matrix(std::int64_t rows, std::int64_t columns, std::uint64_t number) {
  const at::Tensor matrix = at::empty({rows, columns}, at::kFloat);
  RandomStream stream({.seed = 0, .use = RandomUse::Test, .prompt = number});
  float* values = matrix.data_ptr<float>();
  for (std::int64_t i = 0; i < matrix.numel(); ++i) values[i] = static_cast<float>(stream.normal());
  return matrix;
}

}  // namespace

MatmulChoice configure_matmul() {
  keep_freed_memory();
  bound_product_cache();
  const at::NoGradGuard no_grad;
  const at::Tensor a = test_matrix(128, 192, 0), b = test_matrix(192, 160, 1);
  const at::Tensor exact = at::mm(a.to(at::kDouble), b.to(at::kDouble));
  at::globalContext().setFloat32MatmulPrecision("medium");
  const at::Tensor product = at::mm(a, b).to(at::kDouble);
  MatmulChoice choice;
  choice.relative_error = ((product - exact).norm() / exact.norm()).item<double>();
  choice.onednn = choice.relative_error < kLargestError;
  if (!choice.onednn) at::globalContext().setFloat32MatmulPrecision("highest");
  return choice;
}

void set_worker_threads() { at::set_num_threads(1); }

}  // namespace allot::lm
