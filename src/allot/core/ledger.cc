#include "allot/core/ledger.h"

namespace allot {

void Ledger::observe(PromptId prompt, std::uint64_t step, std::span<const Outcome> outcomes,
                     ZeroCause cause) {
  Row& row = rows_[prompt];
  row.prompt = prompt;
  row.last_step = step;
  row.last_cause = cause;
  std::uint64_t verdicts = 0, successes = 0;
  for (const Outcome& outcome : outcomes) {
    ++row.rollouts;
    row.tokens += outcome.tokens;
    if (outcome.round != 0 || outcome.scoring != Scoring::Scored) continue;
    ++verdicts;
    successes += outcome.correct;
  }
  row.trials += static_cast<double>(verdicts);
  row.successes += static_cast<double>(successes);
  row.streak.visit(verdicts, successes);
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
    const PromptState state = row.streak.now();
    counts.dead += state == PromptState::Dead;
    counts.solved += state == PromptState::Solved;
    counts.mixed += state == PromptState::Mixed;
  }
  return counts;
}

}  // namespace allot
