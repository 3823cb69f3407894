// The ledger as columns: what is known of each prompt.
#pragma once

#include <vector>

#include "allot/core/types.h"

namespace allot::python {

struct Records {
  std::vector<PromptRecord> rows;
};

}  // namespace allot::python
