#include "allot/lm/decode_weights.h"

#include "allot/core/error.h"

namespace allot::lm {

using kernels::WeightPointers;

template <class T>
WeightPointers<T> weight_pointers(const Model& model) {
  const auto pointer = [](const at::Tensor& tensor) -> const T* {
    if (!tensor.defined()) return nullptr;
    if (!tensor.is_contiguous()) {
      throw Error(ErrorKind::Internal, "lm.decode_weights",
                  "a weight is not contiguous; contiguous weights are needed");
    }
    return tensor.const_data_ptr<T>();
  };
  WeightPointers<T> weights;
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

}  // namespace allot::lm
