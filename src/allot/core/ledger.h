// What is known of every prompt: the records behind Controller::record() and ledger/*.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "allot/core/prompt_state.h"
#include "allot/core/prompt_table.h"
#include "allot/core/types.h"

namespace allot {

class Ledger {
 public:
  // Books one step of one prompt. Successes and trials count only scored outcomes of round 0, by
  // `correct`: later rollouts were asked for because of what came before (contract, section 5).
  void observe(PromptId prompt, std::uint64_t step, std::span<const Outcome> outcomes,
               ZeroCause cause);
  // The mean size of the advantages shipped for it, whenever some were.
  void shipped(PromptId prompt, double mean_abs_advantage);

  const PromptRecord* find(PromptId prompt) const { return rows_.find(prompt); }
  bool contains(PromptId prompt) const { return rows_.contains(prompt); }
  std::vector<PromptRecord> records() const;  // in id order

  // By core/prompt_state.h. Prompts without a verdict are in none of the three.
  struct Counts {
    std::uint64_t dead = 0, solved = 0, mixed = 0;
  };
  Counts counts() const;

  template <class V>
  void state(V& v) {
    v(rows_);
  }

 private:
  struct Row : PromptRecord {
    VerdictStreak streak;

    template <class V>
    void state(V& v) {
      v(prompt);
      v(successes);
      v(trials);
      v(last_abs_advantage);
      v(last_step);
      v(rollouts);
      v(tokens);
      v(last_cause);
      streak.state(v);
    }
  };
  PromptTable<Row> rows_;
};

}  // namespace allot
