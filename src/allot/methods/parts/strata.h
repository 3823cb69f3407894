// Strata of a finished group by its pass rate.
#pragma once

#include <cstdint>

namespace allot {

enum class Stratum : std::uint8_t {
  Unscored,  // no scored rollout
  AllFail,   // none correct
  Partial,   // pass rate in (0, high)
  High,      // pass rate in [high, 1)
  AllPass    // all correct
};

// `high` is compared as correct >= high * n.
Stratum stratum_of(std::uint32_t correct, std::uint32_t n, double high);

inline bool one_sided(Stratum stratum) {
  return stratum == Stratum::AllFail || stratum == Stratum::AllPass;
}

}  // namespace allot
