// Options of how responses are rewarded: reward.*. Manual: docs/rewards.md.
#pragma once

#include <string>
#include <vector>

#include "allot/core/options.h"
#include "allot/tasks/rewards/reward_verifier.h"

namespace allot {

struct RewardOptions {
  std::vector<std::string> functions = {"task"};
  std::vector<double> weights;
  std::vector<std::string> gate;
  double success_threshold = 0.5;
  double timeout_s = 5;
  int workers = 2;
  int overlong_buffer = 0;
  int repetition_words = 3;

  template <class V>
  void fields(V& v) {
    v("functions", functions,
      "what a response is worth, added up: task (the task's own verifier), math, gsm8k, choice, "
      "countdown, exact, format, soft_overlong, length_cosine, repetition");
    v("weights", weights, Range{-1e6, 1e6}, "of reward.functions, in order; empty = 1 each");
    v("gate", gate,
      "EASY:HARD[:LEAST]: the function EASY counts where HARD gives at least LEAST, by default "
      "reward.success_threshold, and is 0 elsewhere");
    v("success_threshold", success_threshold, Range{-1e6, 1e6},
      "a response is correct where the first function that judges correctness gives more (where "
      "none does: the whole reward)");
    v("timeout_s", timeout_s, Range{0, 1e6},
      "seconds that one call of a function may take before it is given up; 0 = any time");
    v("workers", workers, Range{1, 256}, "threads that call reward functions; changes no result");
    v("overlong_buffer", overlong_buffer, Range{0, 1e6},
      "tokens before the longest response over which soft_overlong falls from 0 to -1; 0 = a fifth "
      "of it");
    v("repetition_words", repetition_words, Range{1, 100},
      "length of the groups of words that repetition looks for");
  }

  // Throws Error(Config): no function, an unknown one, another number of weights, a gate that is no
  // EASY:HARD[:LEAST] of the functions given.
  void validate() const;
  RewardRules rules() const;
};

}  // namespace allot
