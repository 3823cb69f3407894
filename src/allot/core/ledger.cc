#include "allot/core/ledger.h"

namespace allot {

void Ledger::observe(PromptId prompt, std::uint64_t step, std::span<const Outcome> outcomes,
                     ZeroCause cause) {
  Row& row = rows_[prompt];
  row.prompt = prompt;
  row.last_step = step;
  row.last_cause = cause;
  for (const Outcome& outcome : outcomes) {
    ++row.rollouts;
    row.tokens += outcome.tokens;
    if (outcome.round != 0 || outcome.scoring != Scoring::Scored) continue;
    row.trials += 1;
    row.successes += outcome.correct;
  }
}

void Ledger::shipped(PromptId prompt, double mean_abs_advantage) {
  Row& row = rows_[prompt];
  row.prompt = prompt;
  row.last_abs_advantage = mean_abs_advantage;
}

std::vector<PromptRecord> Ledger::records() const {
  std::vector<PromptRecord> all;
  all.reserve(rows_.size());
  for (const auto& [prompt, row] : rows_) all.push_back(row);
  return all;
}

Ledger::Counts Ledger::counts() const {
  Counts counts;
  for (const auto& [prompt, row] : rows_) {
    if (row.trials == 0) continue;
    if (row.successes == 0)
      ++counts.dead;
    else if (row.successes == row.trials)
      ++counts.solved;
    else
      ++counts.mixed;
  }
  return counts;
}

}  // namespace allot
