// What a loss reads of policies other than the current one, filled into rows before the first
// update: the old policy, a frozen reference, and lists of likely tokens of the sampling policy.
// Each function returns the positions that it ran forward.
#pragma once

#include <cstdint>
#include <span>

#include "allot/lm/model.h"
#include "allot/local/policy_gradient.h"
#include "allot/local/train_rows.h"

namespace allot {

// Whether the sampler's own log-probabilities serve as those of the old policy.
struct OldSource {
  bool exact = false;   // they equal a forward pass of the weights that sampled
  Version version = 0;  // of the weights now
};

// TrainRow::old of the rows `which` (ascending) that read it and have none: the sampler's where
// they are exact and of this version, else by `model` as it is.
std::uint64_t set_old(const lm::Model& model, TrainRows& rows, std::span<const std::uint32_t> which,
                      const OldSource& source, const PolicyGradientSettings& settings);

// TrainRow::reference, where it is still empty.
std::uint64_t set_reference(const lm::Model& reference, TrainRows& rows,
                            std::span<const std::uint32_t> which,
                            const PolicyGradientSettings& settings);

// TrainRow::top: the objective::kLikeliestTokens likeliest tokens of `sampler` and of `model`, with
// the log-probabilities of both. The sampler's are those of its weights now, recomputed.
std::uint64_t set_top(const lm::Model& model, const lm::Model& sampler, TrainRows& rows,
                      std::span<const std::uint32_t> which, const PolicyGradientSettings& settings);

// The same where the policy as it is did sample.
std::uint64_t set_top(const lm::Model& model, TrainRows& rows, std::span<const std::uint32_t> which,
                      const PolicyGradientSettings& settings);

}  // namespace allot
