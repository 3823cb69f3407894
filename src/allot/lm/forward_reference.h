// Hidden states by library operations only. Internal to lm/; forward.h chooses the path.
#pragma once

#include "allot/lm/model.h"
#include "allot/lm/packed_rows.h"
#include "allot/lm/tensor.h"

namespace allot::lm {

// [rows, dim], with gradients where the model's parameters have them. `rows` as hidden_states() has
// checked them.
at::Tensor reference_hidden_states(const Model& model, const PackedRows& rows);

}  // namespace allot::lm
