// Pass rates that the data set states (PromptRef::prior_pass_rate), as priors of beliefs. (ours)
//
//   prior of a prompt with the rate r:  Beta(r s, (1 - r) s),  s = alloc.prior_strength, or the
//   a + b of the method's own prior where that is 0
//
// A prompt without a stated rate keeps the method's own prior.
#pragma once

#include <optional>
#include <span>

#include "allot/core/prompt_table.h"
#include "allot/core/types.h"
#include "allot/methods/parts/belief.h"

namespace allot {

// `own` where `rate` is absent.
BetaPrior stated_prior(std::optional<float> rate, const BetaPrior& own, double strength);

// The rates of prompts that were shown, for methods that need them when the PromptRef is gone.
class StatedRates {
 public:
  explicit StatedRates(double strength = 0) : strength_(strength) {}

  void clear() { rates_.clear(); }
  void show(std::span<const PromptRef> prompts);

  std::optional<float> rate(PromptId prompt) const;
  BetaPrior prior(PromptId prompt, const BetaPrior& own) const {
    return stated_prior(rate(prompt), own, strength_);
  }

  template <class V>
  void state(V& v) {
    v(rates_);
  }

 private:
  double strength_;
  PromptTable<float> rates_;  // of prompts that have one
};

}  // namespace allot
