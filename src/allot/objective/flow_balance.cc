#include "allot/objective/flow_balance.h"

#include <algorithm>
#include <cmath>

#include "allot/objective/ratio.h"

namespace allot::objective {

FlowTerm flow_term(const LossOptions& options, const LossRow& row, std::size_t index,
                   std::span<const double> logprob, std::span<const double> log_ratios,
                   std::span<const double> mask) {
  double n = 0;
  for (const double m : mask) n += m;
  FlowTerm out;
  if (n == 0) return out;
  if (row.reference.size() != logprob.size())
    refuse_row(index, "flow_balance needs log-probabilities of the reference policy");
  const double product = std::exp(
      std::clamp(masked_sum(log_ratios, mask), -options.log_ratio_clamp, options.log_ratio_clamp));
  out.weight = std::clamp(product, 1 - options.clip_low, 1 + options.clip_high);
  out.delta = row.log_partition + masked_sum(logprob, mask) / n -
              options.flow_beta * row.advantage - masked_sum(row.reference, mask) / n;
  out.value = out.weight * out.delta * out.delta;
  out.log_partition = 2 * out.weight * out.delta;
  out.per_token = out.log_partition / n;
  return out;
}

}  // namespace allot::objective
