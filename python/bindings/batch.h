// A TrainBatch as Python sees it.
#pragma once

#include <vector>

#include "allot/core/types.h"

namespace allot::python {

struct Groups {
  std::vector<TrainGroup> rows;
};
struct Reports {
  std::vector<GroupReport> rows;
};

struct Batch {
  std::vector<TrainItem> rows;
  Groups groups;  // in the order of their items
  Reports reports;
  Norm norm = Norm::PerGroup;
  double fixed = 0, length_divisor = 0;
  std::vector<RolloutId> hold, release;
};

Batch batch_of(TrainBatch batch);

}  // namespace allot::python
