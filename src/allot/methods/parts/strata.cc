#include "allot/methods/parts/strata.h"

namespace allot {

Stratum stratum_of(std::uint32_t correct, std::uint32_t n, double high) {
  if (n == 0) return Stratum::Unscored;
  if (correct == 0) return Stratum::AllFail;
  if (correct == n) return Stratum::AllPass;
  return correct >= high * n ? Stratum::High : Stratum::Partial;
}

}  // namespace allot
