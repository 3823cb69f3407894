#include "allot/lm/products.h"

#include <ATen/ops/mm.h>

namespace allot::lm {

at::Tensor Products::multiply(const at::Tensor& a, const at::Tensor& b) const {
  if (type_ == ProductType::Same) return at::mm(a, b);
  return at::mm(a.to(at::kBFloat16), b.to(at::kBFloat16)).to(a.scalar_type());
}

at::Tensor Products::of(const at::Tensor& x, const at::Tensor& weight) const {
  return multiply(x, weight.t());
}
at::Tensor Products::input_gradient(const at::Tensor& d_y, const at::Tensor& weight) const {
  return multiply(d_y, weight);
}
at::Tensor Products::weight_gradient(const at::Tensor& d_y, const at::Tensor& x) const {
  return multiply(d_y.t(), x);
}

}  // namespace allot::lm
