#include "allot/lm/decode_weights.h"

#include "allot/core/error.h"

namespace allot::lm {

using kernels::Bf16;
using kernels::WeightPointers;

namespace {

// As the library names the type.
template <class W>
struct ElementOf {
  using Type = W;
};
template <>
struct ElementOf<Bf16> {
  using Type = at::BFloat16;
};

}  // namespace

template <class W>
WeightPointers<W> weight_pointers(const Model& model) {
  const auto pointer = [](const at::Tensor& tensor) -> const W* {
    if (!tensor.defined()) return nullptr;
    if (!tensor.is_contiguous()) {
      throw Error(ErrorKind::Internal, "lm.decode_weights",
                  "a weight is not contiguous; contiguous weights are needed");
    }
    return reinterpret_cast<const W*>(tensor.const_data_ptr<typename ElementOf<W>::Type>());
  };
  WeightPointers<W> weights;
  weights.embedding = pointer(model.embedding);
  weights.final_norm = pointer(model.final_norm);
  weights.head = pointer(model.head);
  for (const Layer& l : model.layers) {
    weights.layers.push_back(
        {pointer(l.input_norm), pointer(l.q), pointer(l.k), pointer(l.v), pointer(l.q_bias),
         pointer(l.k_bias), pointer(l.v_bias), pointer(l.q_norm), pointer(l.k_norm), pointer(l.o),
         pointer(l.post_norm), pointer(l.gate), pointer(l.up), pointer(l.down)});
  }
  return weights;
}

template WeightPointers<float> weight_pointers<float>(const Model&);
template WeightPointers<double> weight_pointers<double>(const Model&);
template WeightPointers<Bf16> weight_pointers<Bf16>(const Model&);

}  // namespace allot::lm
