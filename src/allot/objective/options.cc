#include "allot/objective/options.h"

#include <algorithm>

#include "allot/objective/presets.h"

namespace allot::objective {
namespace {

// Not left to the preset, and set only with preset_full.
bool is_aggregation(std::string_view key) { return key == "loss.aggregation"; }

// Divergence bounds that neither the user nor the preset named.
void fill_deltas(DivergenceOptions& d) {
  const bool tv = d.kind == Divergence::BinaryTv || d.kind == Divergence::TopKTv;
  const double usual = tv ? 0.15 : 0.05;
  if (d.delta_low < 0) d.delta_low = usual;
  if (d.delta_high < 0) d.delta_high = usual;
}

}  // namespace

LossOptions LossOptions::expanded() const {
  if (complete) return *this;
  LossOptions out = *this;
  const PresetSettings settings = preset_settings(objective::preset(preset), "loss.");
  LossOptions unset;
  const OptionList nothing_given = OptionList::of(unset, "loss");
  OptionList list = OptionList::of(out, "loss");
  for (const auto& [key, value] : settings) {
    if (is_aggregation(key) && !preset_full) continue;
    if (list.find(key)->text() != nothing_given.find(key)->text()) continue;
    const bool forced_by_compat = key == "loss.dual_clip_c" && compat == Compat::Verl;
    list.set(key, forced_by_compat ? "3" : value, "loss.preset");
  }
  // Divergence PPO's own anchor, where no other mask shares it.
  if (mask_anchor == RatioAnchor::OfPreset && !masks.empty() && out.has_mask("divergence") &&
      !out.has_mask("ppo_clip"))
    out.mask_anchor = RatioAnchor::Rollout;
  // verl bounds the corner in its token-wise PPO loss only.
  if (compat == Compat::Verl && dual_clip_c == kOfPreset &&
      (out.surrogate != Surrogate::PpoClip || out.level != ImportanceLevel::Token ||
       out.ratio_cap > 0))
    out.dual_clip_c = 0;
  if (compat == Compat::Verl) out.kl.k3_cap = 10;
  if (out.weight_eps_low >= 0 && weight_min == kOfPreset) out.weight_min = 1 - out.weight_eps_low;
  if (out.weight_eps_high >= 0 && weight_max == kOfPreset) out.weight_max = 1 + out.weight_eps_high;
  fill_deltas(out.divergence);
  out.complete = true;
  return out;
}

bool LossOptions::has_mask(std::string_view name) const {
  return std::find(masks.begin(), masks.end(), name) != masks.end();
}

}  // namespace allot::objective
