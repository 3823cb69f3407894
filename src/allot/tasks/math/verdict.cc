#include "allot/tasks/math/verdict.h"

#include <array>

namespace allot::verify {

std::string_view name(VerdictStatus status) {
  constexpr std::array<std::string_view, 7> kNames = {
      "correct", "wrong", "no_answer", "unparseable", "limit", "gold_error", "fault"};
  return kNames[static_cast<std::size_t>(status)];
}

std::string_view name(Tier tier) {
  constexpr std::array<std::string_view, 6> kNames = {"T0", "T1", "T2", "T3", "T4", "T5"};
  return kNames[static_cast<std::size_t>(tier)];
}

std::string_view flag_name(int bit) {
  constexpr std::array<std::string_view, kFlagCount> kNames = {
      "conflict",    "empty_box",   "undecided",   "lenient_K1",  "lenient_K6",
      "lenient_K8",  "lenient_K10", "lenient_K11", "lenient_K13", "lenient_K14",
      "lenient_K16", "lenient_K17", "lenient_K18", "lenient_K19", "lenient_K22"};
  return kNames[static_cast<std::size_t>(bit)];
}

}  // namespace allot::verify
