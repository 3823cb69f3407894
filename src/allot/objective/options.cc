#include "allot/objective/options.h"

#include "allot/core/error.h"

namespace allot::objective {
namespace {

// One row of the composition table (objectives, section 12), as far as it is about the loss.
struct PresetRow {
  double clip_low, clip_high;
  Aggregation aggregation;
};

PresetRow row_of(Preset preset) {
  switch (preset) {
    case Preset::Dapo:
      return {0.2, 0.28, Aggregation::TokenMean};
    case Preset::Grpo:
      return {0.2, 0.2, Aggregation::SeqMeanTokenMean};
    case Preset::DrGrpo:
      return {0.2, 0.2, Aggregation::SeqMeanTokenSumNorm};
    case Preset::Custom:
      break;
  }
  return {0.2, 0.2, Aggregation::Method};
}

[[noreturn]] void refuse(const std::string& what, std::string_view hint = {}) {
  throw Error(ErrorKind::Config, "loss", what, hint);
}

}  // namespace

LossOptions LossOptions::expanded() const {
  const PresetRow row = row_of(preset);
  LossOptions out = *this;
  if (out.clip_low == kOfPreset) out.clip_low = row.clip_low;
  if (out.clip_high == kOfPreset) out.clip_high = row.clip_high;
  if (preset_full && out.aggregation == Aggregation::Method) out.aggregation = row.aggregation;
  return out;
}

void LossOptions::validate() const {
  const LossOptions o = expanded();
  if (o.clip_low < 0 || o.clip_high < 0)
    refuse(concat("loss.clip_low = ", o.clip_low, ", loss.clip_high = ", o.clip_high,
                  "; both must be 0 or more"),
           "-1 stands for the value of loss.preset");
  if (o.dual_clip_c > 0 && o.ratio_cap > 0)
    refuse(
        "loss.dual_clip_c and loss.ratio_cap are both set; they bound the same corner (A < 0, "
        "large ratio), so only one may be");
  if (o.dual_clip_c > 0 && o.dual_clip_c <= 1)
    refuse(concat("loss.dual_clip_c = ", o.dual_clip_c, "; it must be above 1, or 0 for off"));
  if (o.ratio_cap > 0 && o.ratio_cap <= 1 + o.clip_high)
    refuse(concat("loss.ratio_cap = ", o.ratio_cap,
                  "; it must be above 1 + loss.clip_high = ", 1 + o.clip_high, ", or 0 for off"));
  const bool needs_constant = o.aggregation == Aggregation::SeqMeanTokenSumNorm;
  if (needs_constant && !(o.norm_constant > 0))
    refuse(
        "loss.aggregation is seq_mean_token_sum_norm and loss.norm_constant is not set; a "
        "constant above 0 is needed",
        "the longest response is usual: rollout.max_new_tokens");
  if (!needs_constant && o.norm_constant > 0)
    refuse(concat("loss.norm_constant = ", o.norm_constant,
                  " has no effect unless loss.aggregation is seq_mean_token_sum_norm"));
  const bool divides = o.aggregation == Aggregation::Method ||
                       o.aggregation == Aggregation::SeqMeanTokenMean ||
                       o.aggregation == Aggregation::PromptMean;
  if (!divides && o.length_divisor > 0)
    refuse(concat("loss.length_divisor = ", o.length_divisor,
                  " has no effect with this loss.aggregation, which takes no mean over a "
                  "response's tokens"));
}

std::vector<std::string> LossOptions::warnings() const {
  const LossOptions o = expanded();
  std::vector<std::string> out;
  if (o.clip_low < 0.01 || o.clip_high < 0.01)
    out.push_back(concat("loss.clip_low = ", o.clip_low, ", loss.clip_high = ", o.clip_high,
                         ": widths below .01 are meant for ratios of whole sequences, but "
                         "the ratios here are of tokens"));
  if (o.aggregation != Aggregation::Method)
    out.push_back(
        "loss.aggregation replaces the normaliser that the allocation method asks for; methods "
        "with a fixed normaliser will refuse it");
  if (preset == Preset::Grpo)
    out.push_back("loss.preset grpo is applied without its KL term to a reference model");
  if (preset == Preset::DrGrpo && o.aggregation == Aggregation::Method && o.length_divisor == 0)
    out.push_back(
        "loss.preset dr_grpo keeps the method's normaliser with a mean over tokens; set "
        "loss.length_divisor, or loss.preset_full and loss.norm_constant, for its constant");
  return out;
}

}  // namespace allot::objective
