#include "allot/objective/surrogate.h"

#include <algorithm>
#include <cmath>

namespace allot::objective {
namespace {

// PPO-clip (Schulman et al. 2017), with the dual clip of Ye et al. 2020 or the ratio cap of
// INTELLECT-2; both bound only the corner A < 0, large r.
SurrogateTerm ppo_clip(const LossOptions& o, double r, double advantage) {
  SurrogateTerm term;
  const double clipped = std::clamp(r, 1 - o.clip_low, 1 + o.clip_high);
  if (advantage >= 0) {
    term.clipped_high = advantage > 0 && r > 1 + o.clip_high;
    term.value = std::min(r, clipped) * advantage;
  } else {
    term.clipped_low = r < 1 - o.clip_low;
    const double corner = o.dual_clip_c > 0 ? o.dual_clip_c : o.ratio_cap;
    term.clipped_corner = corner > 0 && r > corner;
    const double bounded = std::max(r, clipped);
    term.value = (corner > 0 ? std::min(bounded, corner) : bounded) * advantage;
  }
  const bool kept = !term.clipped_low && !term.clipped_high && !term.clipped_corner;
  term.coefficient = kept ? r : 0;
  return term;
}

}  // namespace

SurrogateTerm surrogate(const LossOptions& options, double ratio, double advantage) {
  switch (options.surrogate) {
    case Surrogate::PpoClip:
      break;
  }
  return ppo_clip(options, ratio, advantage);
}

}  // namespace allot::objective
