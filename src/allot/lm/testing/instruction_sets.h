// Tests of kernels run in every build that this processor can run.
#pragma once

#include <gtest/gtest.h>

#include "allot/lm/instruction_set.h"

namespace allot::lm {

template <class Body>
void for_each_instruction_set(const Body& body) {
  for (const InstructionSet set : supported_instruction_sets()) {
    SCOPED_TRACE(to_string(set));
    const ForcedInstructionSet forced(set);
    body();
    if (::testing::Test::HasFatalFailure()) return;
  }
}

}  // namespace allot::lm
