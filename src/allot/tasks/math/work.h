// What one verdict may cost, counted in elementary steps instead of time, so that a verdict is the
// same on a loaded machine. Source: verifier specification, section 9.
#pragma once

#include <cstddef>
#include <cstdint>

namespace allot::verify {

inline constexpr std::uint64_t kSteps = 200'000;         // of one verdict, or one prepare()
inline constexpr std::size_t kCandidateBytes = 4096;     // a longer answer is unreadable
inline constexpr std::size_t kTokens = 4096;             // of one answer
inline constexpr int kDepth = 64;                        // of nested brackets
inline constexpr std::size_t kEntries = 256;             // of a list or matrix
inline constexpr std::size_t kNumeralDigits = 1000;      // of one numeral
inline constexpr std::size_t kIntegerBits = 4096;        // of every whole number on the way
inline constexpr std::size_t kTerms = 4096;              // of a polynomial
inline constexpr int kDegree = 256;                      // of a polynomial, all variables together
inline constexpr std::size_t kWholeText = 1 << 20;       // a longer response keeps its last part:
inline constexpr std::size_t kTailOfLongText = 1 << 16;  // this many bytes

// Thrown inside the verifier and turned into a status by its public functions.
struct LimitReached {};
struct Unreadable {};

class Work {
 public:
  void spend(std::uint64_t steps = 1) {
    used_ += steps;
    if (used_ > kSteps) throw LimitReached{};
  }
  std::uint64_t used() const { return used_; }

  // A number was too long to be written out (kIntegerBits) and stayed a symbol.
  void leave_symbolic() { symbolic_ = true; }
  bool left_symbolic() const { return symbolic_; }

 private:
  std::uint64_t used_ = 0;
  bool symbolic_ = false;
};

}  // namespace allot::verify
