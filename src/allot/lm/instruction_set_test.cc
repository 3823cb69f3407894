#include "allot/lm/instruction_set.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "allot/core/error.h"
#include "allot/lm/kernels/packed_gemm.h"
#include "allot/lm/testing/instruction_sets.h"

namespace allot::lm {
namespace {

TEST(InstructionSet, IsTheWidestOfTheProcessorUnlessForced) {
  const auto& sets = supported_instruction_sets();
  ASSERT_FALSE(sets.empty());
  EXPECT_EQ(sets.front(), InstructionSet::Portable);
  EXPECT_TRUE(std::is_sorted(sets.begin(), sets.end()));
  EXPECT_EQ(instruction_set(), sets.back());
  {
    const ForcedInstructionSet forced(InstructionSet::Portable);
    EXPECT_EQ(instruction_set(), InstructionSet::Portable);
  }
  EXPECT_EQ(instruction_set(), sets.back());
}

TEST(InstructionSet, RefusesWhatTheProcessorLacks) {
  for (int s = static_cast<int>(supported_instruction_sets().back()) + 1; s < 4; ++s) {
    EXPECT_THROW(ForcedInstructionSet(static_cast<InstructionSet>(s)), Error);
  }
}

// The width of a packed panel tells which build ran.
TEST(InstructionSet, ChoosesTheBuildOfTheKernels) {
  for_each_instruction_set([] {
    const float weight[3] = {1, 2, 3};
    const float* const outputs[1] = {weight};
    const int width = kernels::pack_matrix<float>(outputs, 3).panel_width;
    switch (instruction_set()) {
      case InstructionSet::Portable:
        EXPECT_EQ(width, 8);
        break;
      case InstructionSet::Avx2:
        EXPECT_EQ(width, 16);
        break;
      default:
        EXPECT_EQ(width, 32);
    }
  });
}

}  // namespace
}  // namespace allot::lm
