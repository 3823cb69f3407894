// A Plan as Python sees it: the requests as columns, the rollouts to cancel as an array.
#pragma once

#include <vector>

#include "allot/core/controller.h"
#include "bindings/bindings.h"

namespace allot::python {

struct Requests {
  std::vector<Issued> rows;
};

struct PlanView {
  Requests generate;
  std::vector<RolloutId> cancel;
  std::uint32_t refill = 0;
  bool done = false;
};

PlanView view_of(Plan plan);

}  // namespace allot::python
