// Row and token numbers as tensors. Internal to lm/.
#pragma once

#include <cstdint>
#include <vector>

#include "allot/lm/tensor.h"

namespace allot::lm {

// A copy of `values`, int64 [size], on `device`.
at::Tensor index_tensor(const std::vector<std::int32_t>& values, at::Device device);
at::Tensor index_tensor(const std::vector<std::int64_t>& values, at::Device device);

}  // namespace allot::lm
