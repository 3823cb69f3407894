// Which instructions of this processor the number kernels use.
//
// Every file of kernels/ is compiled once per set (cmake/room.cmake), and its public functions lead
// to the build of the set in force (kernels/variant.h). The widest one that the processor has is in
// force from the start, so one binary serves every x86-64 machine; elsewhere there is Portable
// only. Results differ between sets by rounding, never within one.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace allot::lm {

// In ascending order: each has the instructions of those before it.
enum class InstructionSet : std::uint8_t {
  Portable,    // the baseline of the architecture
  Avx2,        // AVX2 and FMA
  Avx512,      // AVX-512 F, BW, DQ and VL
  Avx512Bf16,  // the builds of Avx512, and dot products of BF16 numbers
};

std::string to_string(InstructionSet set);

// The sets that this processor has, ascending; never empty.
const std::vector<InstructionSet>& supported_instruction_sets();

InstructionSet instruction_set();

// Forces a set while the object lives; for tests and benchmarks. For the whole process: no kernel
// may run in another thread while it changes. What was packed under one set (PackedMatrix, nets) is
// used under the same. Throws Error(Config) for a set that the processor lacks.
class ForcedInstructionSet {
 public:
  explicit ForcedInstructionSet(InstructionSet set);
  ~ForcedInstructionSet();
  ForcedInstructionSet(const ForcedInstructionSet&) = delete;
  ForcedInstructionSet& operator=(const ForcedInstructionSet&) = delete;

 private:
  InstructionSet before_;
};

}  // namespace allot::lm
