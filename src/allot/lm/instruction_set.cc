#include "allot/lm/instruction_set.h"

#include <algorithm>
#include <atomic>

#include "allot/core/error.h"

namespace allot::lm {
namespace {

std::vector<InstructionSet> find_supported() {
  std::vector<InstructionSet> sets = {InstructionSet::Portable};
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return sets;
  sets.push_back(InstructionSet::Avx2);
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl")) {
    return sets;
  }
  sets.push_back(InstructionSet::Avx512);
  if (__builtin_cpu_supports("avx512bf16")) sets.push_back(InstructionSet::Avx512Bf16);
#endif
  return sets;
}

std::atomic<InstructionSet>& in_force() {
  static std::atomic<InstructionSet> set{supported_instruction_sets().back()};
  return set;
}

}  // namespace

std::string to_string(InstructionSet set) {
  switch (set) {
    case InstructionSet::Portable:
      return "portable";
    case InstructionSet::Avx2:
      return "avx2";
    case InstructionSet::Avx512:
      return "avx512";
    case InstructionSet::Avx512Bf16:
      return "avx512_bf16";
  }
  return "unknown";
}

const std::vector<InstructionSet>& supported_instruction_sets() {
  static const std::vector<InstructionSet> sets = find_supported();
  return sets;
}

InstructionSet instruction_set() { return in_force().load(std::memory_order_relaxed); }

ForcedInstructionSet::ForcedInstructionSet(InstructionSet set) : before_(instruction_set()) {
  const auto& sets = supported_instruction_sets();
  if (std::find(sets.begin(), sets.end(), set) == sets.end()) {
    throw Error(ErrorKind::Config, "lm.instruction_set",
                concat("the instruction set ", to_string(set),
                       " was asked for; this processor has ", to_string(sets.back()), " at most"));
  }
  in_force() = set;
}

ForcedInstructionSet::~ForcedInstructionSet() { in_force() = before_; }

}  // namespace allot::lm
