// A model's weights as the torch-free decoder takes them. Internal to lm/.
#pragma once

#include "allot/lm/decode_state.h"
#include "allot/lm/model.h"

namespace allot::lm {

// Pointers into the storage of a CPU model of type T (float or double), valid as long as that is.
// Throws Error(Internal) for a weight that is not contiguous.
template <class T>
kernels::WeightPointers<T> weight_pointers(const Model& model);

}  // namespace allot::lm
