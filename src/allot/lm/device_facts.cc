#include "allot/lm/device_facts.h"

#include <algorithm>
#include <chrono>

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/rand.h>
#include <torch/headeronly/version.h>

#include "allot/lm/matmul.h"
#include "allot/lm/tensor.h"

namespace allot::lm {

double measure_matmul_gflops(int n, int repeats) {
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const at::Tensor a = at::rand({n, n}), b = at::rand({n, n});
  at::mm(a, b);  // warm-up
  double best = 1e9;
  for (int i = 0; i < repeats; ++i) {
    const auto start = std::chrono::steady_clock::now();
    at::mm(a, b);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    best = std::min(best, seconds.count());
  }
  at::set_num_threads(threads);
  return 2e-9 * n * n * n / best;
}

DeviceFacts device_facts() {
  const MatmulChoice choice = configure_matmul();
  DeviceFacts facts;
  facts.torch_version = TORCH_VERSION;
  facts.cpu_capability = at::get_cpu_capability();
  facts.cuda_devices =
      static_cast<int>(at::hasCUDA() ? at::detail::getCUDAHooks().deviceCount() : 0);
  facts.matmul_gflops = measure_matmul_gflops(1024, 10);
  facts.matmul_path = choice.onednn ? "oneDNN" : "library default (MKL)";
  return facts;
}

}  // namespace allot::lm
