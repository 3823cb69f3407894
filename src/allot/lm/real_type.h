// Choice of the kernels' number type at run time. Internal to lm/.
#pragma once

#include "allot/core/error.h"
#include "allot/lm/tensor.h"

namespace allot::lm {

// Calls body(float()) or body(double()).
template <class Body>
void with_real_type(at::ScalarType dtype, Body&& body) {
  if (dtype == at::kFloat) {
    body(float());
  } else if (dtype == at::kDouble) {
    body(double());
  } else {
    throw Error(ErrorKind::Internal, "lm kernels", "float or double is needed");
  }
}

}  // namespace allot::lm
