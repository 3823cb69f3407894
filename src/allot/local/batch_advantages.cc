#include "allot/local/batch_advantages.h"

#include <limits>
#include <utility>

#include "allot/local/loss_rows.h"
#include "allot/objective/evaluate.h"

namespace allot {
namespace {

// Components of the reward; NaN where it could not be told.
std::vector<double> rewards_of(const Score& score) {
  if (score.scoring != Scoring::Scored)
    return std::vector<double>(std::max<std::size_t>(1, score.parts.size()),
                               std::numeric_limits<double>::quiet_NaN());
  if (score.parts.empty()) return {score.reward};
  return {score.parts.begin(), score.parts.end()};
}

}  // namespace

std::vector<Metric> estimate_advantages(const objective::LossOptions& loss,
                                        const ScalarEstimator& estimator, TrainRows& rows) {
  objective::Step step;
  for (const TrainRow& row : rows.rows) {
    // Only the number of log-probabilities matters where no KL is taken from the reward.
    std::vector<double> old = row.old;
    old.resize(row.tokens(), 0);
    step.rows.push_back(loss_row(row, std::move(old), {}));
    step.rewards.push_back(rewards_of(row.stored->score));
  }
  std::vector<Metric> metrics = objective::estimate_advantages(loss, estimator, step);
  for (std::size_t i = 0; i < rows.rows.size(); ++i) {
    rows.rows[i].advantage = step.rows[i].scorable ? step.rows[i].advantage : 0;
    rows.rows[i].token_advantage = std::move(step.rows[i].token_advantage);
  }
  return metrics;
}

}  // namespace allot
