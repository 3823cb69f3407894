// Importance ratios of one response: against which policy, and of a token or of the whole
// response. Source: objectives, section 5.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "allot/objective/loss_row.h"
#include "allot/objective/options.h"

namespace allot::objective {

// Log-probabilities of the anchor, one per token. The weight anchor of a row with
// Anchor::Behaviour is the policy that sampled it, whatever the options say. Throws Error(Data)
// naming row `index` where they are missing or of another length.
std::span<const double> weight_anchor(const LossOptions& options, const LossRow& row,
                                      std::size_t index);
std::span<const double> mask_anchor(const LossOptions& options, const LossRow& row,
                                    std::size_t index);

struct LogRatios {
  std::vector<double> log;    // clamped, per token
  std::vector<bool> clamped;  // beyond the clamp there is no gradient
};
LogRatios log_ratios(double clamp, std::span<const double> logprob, std::span<const double> anchor,
                     std::size_t index);

// Sum over tokens, weighted by the mask.
double masked_sum(std::span<const double> values, std::span<const double> mask);

}  // namespace allot::objective
