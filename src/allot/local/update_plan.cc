#include "allot/local/update_plan.h"

#include "allot/objective/step_terms.h"

namespace allot {

using objective::LossOptions;

bool trains(const LossOptions& loss, const TrainRow& row) {
  if (row.tokens() == 0) return false;
  const bool kl = loss.kl.placement == objective::KlPlacement::InLoss && loss.kl.beta > 0;
  const bool entropy = loss.entropy_coef > 0 || loss.entropy.adaptive;
  const bool flow = loss.surrogate == objective::Surrogate::FlowBalance && row.weight != 0;
  return row.active() || kl || entropy || flow;
}

UpdatePlan plan_update(const TrainRows& rows, const RowRange& range,
                       const objective::Normalizer& normalizer, const LossOptions& loss) {
  UpdatePlan plan;
  plan.normalizer = normalizer;
  std::vector<objective::RowShape> shapes;
  for (std::size_t i = range.first; i < range.first + range.count; ++i) {
    const TrainRow& row = rows.rows[i];
    const bool truncated = row.stored->rollout.status == Status::Truncated;
    shapes.push_back({row.group, row.tokens(), truncated});
    const auto index = static_cast<std::uint32_t>(i);
    if (row.tokens() > 0) plan.counted.push_back(index);
    if (trains(loss, row)) plan.computed.push_back(index);
  }
  plan.counts = objective::step_counts(loss, shapes);
  return plan;
}

}  // namespace allot
