// The layers of the fused path, from embedding to last norm: own CPU kernels, forward and backward
// by hand, without a node of autograd per operation. Internal to lm/.
#pragma once

#include <memory>
#include <vector>

#include "allot/lm/forward.h"
#include "allot/lm/model.h"
#include "allot/lm/packed_rows.h"
#include "allot/lm/products.h"
#include "allot/lm/tensor.h"

namespace allot::lm {

// One pass over some rows. Queries, keys and values are one product, gate and up another.
class FusedLayers {
 public:
  virtual ~FusedLayers() = default;

  // Hidden states [rows, dim]. forward() keeps what backward() needs, the other one does not.
  virtual at::Tensor forward() = 0;
  virtual at::Tensor forward_without_gradient() = 0;

  // Gradients of all parameters in the order of Model::parameters(); the embedding's is that of
  // its use as input alone. Once, after forward(): activations are given up on the way.
  virtual std::vector<at::Tensor> backward(const at::Tensor& d_hidden) = 0;
};

// `rows` as hidden_states() has checked them; the model is on the CPU, in float or double.
std::unique_ptr<FusedLayers> make_fused_layers(const Model& model, const PackedRows& rows,
                                               ProductType products, KeptActivations kept);

}  // namespace allot::lm
