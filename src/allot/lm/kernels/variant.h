// One source, several builds: how a kernel file is compiled for each instruction set.
//
// cmake/room.cmake compiles every file of this folder once per set, with ALLOT_KERNEL_SET as the
// set's name: portable, avx2, avx512. The file puts its code into a namespace of that name and
// declares below it which functions are public:
//
//   namespace allot::lm::kernels {
//   namespace ALLOT_KERNEL_SET {
//   template <class T>
//   void scale(T* x, int n, T by) { ... }            // declared in scale.h, in kernels
//   }  // namespace ALLOT_KERNEL_SET
//   ALLOT_KERNEL(void, scale<float>, (float* x, int n, float by), (x, n, by))
//   }  // namespace allot::lm::kernels
//
// kernels::scale<float> then leads to the build of the set in force (lm/instruction_set.h). Headers
// and callers know nothing of it. Include this in sources of this folder only, vector.h does.
//
// A template of the standard library that is not inlined becomes a function that all builds share,
// and the linker keeps any one of them: one made of instructions that another machine may lack. So
// kernels/ holds none; the test `kernel_symbols` finds them. Vectors here are AlignedVector
// (aligned_vector.h) or hold types of the set's namespace.
#pragma once

#include <algorithm>

#include "allot/lm/instruction_set.h"

#ifndef ALLOT_KERNEL_SET
#error "kernels/variant.h is for sources of kernels/, which are compiled once per instruction set"
#endif

namespace allot::lm::kernels {

namespace builds {
inline constexpr InstructionSet portable = InstructionSet::Portable;
inline constexpr InstructionSet avx2 = InstructionSet::Avx2;
inline constexpr InstructionSet avx512 = InstructionSet::Avx512;
}  // namespace builds

// The build of a public function for a set; each build defines its own.
template <auto Public, InstructionSet set>
decltype(Public) build_of();

// The one for the set in force.
template <auto Public>
[[gnu::always_inline]] inline decltype(Public) chosen_build() {
#if defined(__x86_64__)
  switch (instruction_set()) {
    case InstructionSet::Avx512Bf16:
    case InstructionSet::Avx512:
      return build_of<Public, InstructionSet::Avx512>();
    case InstructionSet::Avx2:
      return build_of<Public, InstructionSet::Avx2>();
    case InstructionSet::Portable:
      break;
  }
#endif
  return build_of<Public, InstructionSet::Portable>();
}

}  // namespace allot::lm::kernels

// The portable build also holds the public function itself.
#ifdef ALLOT_KERNEL_SET_IS_PORTABLE
#define ALLOT_KERNEL_PUBLIC(result, name, parameters, arguments) \
  template <>                                                    \
  result name parameters {                                       \
    return chosen_build<&name>() arguments;                      \
  }
#else
#define ALLOT_KERNEL_PUBLIC(result, name, parameters, arguments)
#endif

// `name` is an instance of a template that a header of kernels/ declares.
#define ALLOT_KERNEL(result, name, parameters, arguments)                         \
  ALLOT_KERNEL_PUBLIC(result, name, parameters, arguments)                        \
  template <>                                                                     \
  decltype(&kernels::name) build_of<&kernels::name, builds::ALLOT_KERNEL_SET>() { \
    return &ALLOT_KERNEL_SET::name;                                               \
  }
