// What the library and the processor can do, measured: for `allot doctor` and the benchmarks.
#pragma once

#include <string>

namespace allot::lm {

struct DeviceFacts {
  std::string torch_version, cpu_capability;  // "2.13.0", "AVX512"
  int cuda_devices = 0;
  double matmul_gflops = 0;  // float product of 1024 x 1024 matrices, one thread, best of several
  std::string matmul_path;   // what configure_matmul() chose
};

DeviceFacts device_facts();

// Best of `repeats` products of two n x n float matrices, in GFLOP/s, with one thread.
double measure_matmul_gflops(int n, int repeats);

}  // namespace allot::lm
