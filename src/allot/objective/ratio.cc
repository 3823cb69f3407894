#include "allot/objective/ratio.h"

#include <algorithm>
#include <cmath>

namespace allot::objective {
namespace {

std::span<const double> checked(const std::vector<double>& values, const LossRow& row,
                                std::size_t index, const char* needs) {
  if (values.size() != row.logprob.size())
    refuse_row(index, concat(needs, ", one each per token; ", values.size(), " were given for ",
                             row.logprob.size(), " tokens"));
  return values;
}

// A step of a single update has no other old policy than the current one, detached.
std::span<const double> old_of(const LossRow& row, std::size_t index) {
  return checked(row.old.empty() ? row.logprob : row.old, row, index, "old_logprobs are needed");
}

}  // namespace

std::span<const double> weight_anchor(const LossOptions& options, const LossRow& row,
                                      std::size_t index) {
  if (row.anchor == Anchor::Behaviour)
    return checked(row.rollout, row, index, "a behaviour anchor needs rollout_logprobs");
  if (options.weight_anchor == RatioAnchor::Rollout)
    return checked(row.rollout, row, index, "loss.weight_anchor rollout needs rollout_logprobs");
  return old_of(row, index);
}

std::span<const double> mask_anchor(const LossOptions& options, const LossRow& row,
                                    std::size_t index) {
  if (options.mask_anchor == RatioAnchor::Rollout)
    return checked(row.rollout, row, index, "loss.mask_anchor rollout needs rollout_logprobs");
  return old_of(row, index);
}

LogRatios log_ratios(double clamp, std::span<const double> logprob, std::span<const double> anchor,
                     std::size_t index) {
  LogRatios out;
  for (std::size_t t = 0; t < logprob.size(); ++t) {
    const double difference = logprob[t] - anchor[t];
    if (std::isnan(difference)) refuse_row(index, concat("token ", t, ": not a log-probability"));
    out.log.push_back(std::clamp(difference, -clamp, clamp));
    out.clamped.push_back(std::abs(difference) > clamp);
  }
  return out;
}

double masked_sum(std::span<const double> values, std::span<const double> mask) {
  double sum = 0;
  for (std::size_t t = 0; t < values.size(); ++t)
    if (mask[t] != 0) sum += mask[t] * values[t];
  return sum;
}

}  // namespace allot::objective
