#include "allot/methods/parts/stated_rates.h"

namespace allot {

BetaPrior stated_prior(std::optional<float> rate, const BetaPrior& own, double strength) {
  if (!rate) return own;
  return prior_of_rate(*rate, strength > 0 ? strength : own.a + own.b);
}

void StatedRates::show(std::span<const PromptRef> prompts) {
  for (const PromptRef& prompt : prompts)
    if (prompt.prior_pass_rate) rates_[prompt.id] = *prompt.prior_pass_rate;
}

std::optional<float> StatedRates::rate(PromptId prompt) const {
  const float* rate = rates_.find(prompt);
  return rate ? std::optional(*rate) : std::nullopt;
}

}  // namespace allot
