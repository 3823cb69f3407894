// What the math verifier says about one answer. Source: verifier specification, section 2.
#pragma once

#include <cstdint>
#include <string_view>

namespace allot::verify {

enum class VerdictStatus : std::uint8_t {
  Correct,
  Wrong,
  NoAnswer,     // nothing stands where the profile looks
  Unparseable,  // something does, but it cannot be read
  Limit,        // the answer costs more than one verdict may
  GoldError,    // the reference answer is empty, unreadable or too long
  Fault         // a mistake of the verifier's own
};
// "correct", "wrong", "no_answer", "unparseable", "limit", "gold_error", "fault"
std::string_view name(VerdictStatus status);

// How it was decided: written alike, numbers, structures, exact forms, values at points, text.
enum class Tier : std::uint8_t { T0, T1, T2, T3, T4, T5 };
std::string_view name(Tier tier);

// Circumstances that are counted apart. The lenient ones: without that convention the verdict
// would not be `correct`.
enum Flag : std::uint32_t {
  kConflict = 1U << 0,     // an earlier box says something else
  kEmptyBox = 1U << 1,     // an empty box was passed over
  kUndecided = 1U << 2,    // neither shown equal nor different; counts as wrong
  kLenientK1 = 1U << 3,    // percent
  kLenientK6 = 1U << 4,    // unit on one side only
  kLenientK8 = 1U << 5,    // words behind the value
  kLenientK10 = 1U << 6,   // rounded or cut decimal
  kLenientK11 = 1U << 7,   // rounded gold
  kLenientK13 = 1U << 8,   // decimal comma
  kLenientK14 = 1U << 9,   // interval and inequality
  kLenientK16 = 1U << 10,  // bare list and tuple
  kLenientK17 = 1U << 11,  // right side of an equation
  kLenientK18 = 1U << 12,  // approximation
  kLenientK19 = 1U << 13,  // degrees and radians
  kLenientK22 = 1U << 14   // constant of integration
};
inline constexpr int kFlagCount = 15;
std::string_view flag_name(int bit);  // "conflict", .., "lenient_K22"

}  // namespace allot::verify
