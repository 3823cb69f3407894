// The matrix products of a linear layer and its gradients, by the library. Internal to lm/.
#pragma once

#include "allot/lm/tensor.h"

namespace allot::lm {

enum class ProductType {
  Same,  // as the matrices are
  Bf16,  // factors rounded to BF16, sums in F32, the result rounded to BF16 once
};

// Products of matrices of one floating type, whose results have it, too. Not for autograd.
class Products {
 public:
  explicit Products(ProductType type) : type_(type) {}

  at::Tensor of(const at::Tensor& x, const at::Tensor& weight) const;                // x weight^T
  at::Tensor input_gradient(const at::Tensor& d_y, const at::Tensor& weight) const;  // d_y weight
  at::Tensor weight_gradient(const at::Tensor& d_y, const at::Tensor& x) const;      // d_y^T x

 private:
  at::Tensor multiply(const at::Tensor& a, const at::Tensor& b) const;

  ProductType type_;
};

}  // namespace allot::lm
