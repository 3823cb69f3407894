#include "allot/lm/index_tensor.h"

#include <algorithm>

#include <ATen/ops/empty.h>

namespace allot::lm {
namespace {

template <class Number>
at::Tensor copied(const std::vector<Number>& values, at::Device device) {
  const at::Tensor tensor = at::empty({static_cast<std::int64_t>(values.size())}, at::kLong);
  std::copy(values.begin(), values.end(), tensor.data_ptr<std::int64_t>());
  return tensor.to(device);
}

}  // namespace

at::Tensor index_tensor(const std::vector<std::int32_t>& values, at::Device device) {
  return copied(values, device);
}
at::Tensor index_tensor(const std::vector<std::int64_t>& values, at::Device device) {
  return copied(values, device);
}

}  // namespace allot::lm
