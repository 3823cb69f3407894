#include "allot/objective/token_ppo.h"

#include "allot/core/error.h"

namespace allot::objective {

LossOptions token_ppo(const LossOptions& given) {
  LossOptions o = given.expanded();
  const auto require = [&](bool holds, const char* key) {
    if (!holds)
      throw Error(ErrorKind::Config, key,
                  concat("its value, with loss.preset = ", o.preset,
                         ", is not available in this learner; PPO-clip by token is needed"),
                  "allot objective computes it on given numbers");
  };
  require(o.surrogate == Surrogate::PpoClip, "loss.surrogate");
  require(o.level == ImportanceLevel::Token, "loss.level");
  require(o.weight_anchor == RatioAnchor::Old, "loss.weight_anchor");
  require(o.masks.empty() || o.has_mask("none"), "loss.masks");
  require(o.mismatch.weight == MismatchWeight::None, "loss.mismatch.weight");
  require(o.entropy_coef == 0, "loss.entropy_coef");
  require(!o.entropy.adaptive, "loss.entropy.adaptive");
  require(o.compat == Compat::None, "loss.compat");
  const bool asked =
      given.kl.placement != KlPlacement::OfPreset || given.kl.beta >= 0 || o.preset != "grpo";
  require(o.kl.placement == KlPlacement::None || o.kl.beta == 0 || !asked, "loss.kl.placement");
  o.kl.placement = KlPlacement::None;
  o.kl.beta = 0;
  return o;
}

}  // namespace allot::objective
