// A model's weights as the torch-free decoder takes them. Internal to lm/.
#pragma once

#include "allot/lm/decode_state.h"
#include "allot/lm/model.h"

namespace allot::lm {

// Pointers into the storage of a CPU model of type W (float, double or Bf16), valid as long as that
// is. Throws Error(Internal) for a weight that is not contiguous.
template <class W>
kernels::WeightPointers<W> weight_pointers(const Model& model);

}  // namespace allot::lm
