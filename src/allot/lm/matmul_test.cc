#include "allot/lm/matmul.h"

#include <atomic>
#include <thread>

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>

#include "allot/lm/tensor.h"

namespace allot::lm {
namespace {

TEST(Matmul, ProductsKeepFloatPrecision) {
  const MatmulChoice first = configure_matmul(), second = configure_matmul();
  EXPECT_EQ(first.onednn, second.onednn);
  EXPECT_EQ(first.relative_error, second.relative_error);
  const at::Tensor a = at::randn({77, 130}), b = at::randn({130, 51});
  const at::Tensor exact = at::mm(a.to(at::kDouble), b.to(at::kDouble));
  const at::Tensor error = at::mm(a, b).to(at::kDouble) - exact;
  EXPECT_LT((error.norm() / exact.norm()).item<double>(), 1e-5);
}

TEST(Matmul, WorkerThreadsUseOneThreadEach) {
  std::atomic<int> threads = 0;
  std::thread worker([&] {
    set_worker_threads();
    threads = at::get_num_threads();
  });
  worker.join();
  EXPECT_EQ(threads, 1);
}

}  // namespace
}  // namespace allot::lm
