#include "allot/objective/mismatch.h"

#include <algorithm>
#include <cmath>

#include "allot/objective/ratio.h"

namespace allot::objective {
namespace {

constexpr double kLargestLog = 60;  // of a sum over a response, before exp

double total(std::span<const double> mask) {
  double sum = 0;
  for (const double m : mask) sum += m;
  return sum;
}

double bounded(const MismatchOptions& o, double rho) {
  if (o.weight == MismatchWeight::Truncate) return std::clamp(rho, o.min, o.max);
  return rho >= o.min && rho <= o.max ? rho : 0;
}

double statistic(RejectionStat stat, double log_rho) {
  switch (stat) {
    case RejectionStat::K2:
      return log_rho * log_rho / 2;
    case RejectionStat::K3:
      return std::expm1(log_rho) - log_rho;
    case RejectionStat::OfPreset:
    case RejectionStat::K1:
      break;
  }
  return log_rho;
}

bool accepted(const RejectionOptions& o, double value) {
  if (o.stat != RejectionStat::K1) return value <= o.max;
  const bool above = o.min <= 0 || value >= std::log(o.min);
  return above && value <= std::log(o.max);
}

double reduced(RejectionReduce reduce, std::span<const double> values,
               std::span<const double> mask) {
  if (reduce == RejectionReduce::SeqMax) {
    double largest = -INFINITY;
    for (std::size_t t = 0; t < values.size(); ++t)
      if (mask[t] != 0) largest = std::max(largest, values[t]);
    return largest;
  }
  const double sum = masked_sum(values, mask);
  return reduce == RejectionReduce::SeqMean ? sum / total(mask) : sum;
}

}  // namespace

std::vector<double> mismatch_weights(const MismatchOptions& options,
                                     std::span<const double> log_rho,
                                     std::span<const double> mask) {
  std::vector<double> out(log_rho.size(), 1);
  const bool corrects =
      options.weight == MismatchWeight::Truncate || options.weight == MismatchWeight::Mask;
  if (!corrects || total(mask) == 0) return out;
  if (options.level == MismatchLevel::Token) {
    for (std::size_t t = 0; t < out.size(); ++t) out[t] = bounded(options, std::exp(log_rho[t]));
    return out;
  }
  const double sum = masked_sum(log_rho, mask);
  const double log = options.level == MismatchLevel::Sequence ? sum : sum / total(mask);
  const double weight = bounded(options, std::exp(std::clamp(log, -kLargestLog, kLargestLog)));
  std::fill(out.begin(), out.end(), weight);
  return out;
}

std::vector<double> rejection_mask(const RejectionOptions& options, Compat compat,
                                   std::span<const double> log_rho, std::span<const double> mask) {
  std::vector<double> values;
  for (const double l : log_rho) {
    const bool flipped = compat == Compat::Verl && options.stat == RejectionStat::K1;
    values.push_back(statistic(options.stat, flipped ? -l : l));
  }
  std::vector<double> out(values.size(), 1);
  if (total(mask) == 0) return out;
  if (options.reduce == RejectionReduce::Token) {
    for (std::size_t t = 0; t < out.size(); ++t) out[t] = accepted(options, values[t]) ? 1 : 0;
    return out;
  }
  const double kept = accepted(options, reduced(options.reduce, values, mask)) ? 1 : 0;
  std::fill(out.begin(), out.end(), kept);
  return out;
}

}  // namespace allot::objective
