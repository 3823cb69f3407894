// GRESO's choice of prompts: those whose latest visits gave no signal are skipped at random.
// Source: arXiv 2506.02177.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "allot/core/options.h"
#include "allot/core/prompt_table.h"
#include "allot/core/types.h"
#include "allot/methods/parts/metric_list.h"
#include "allot/methods/parts/useless_runs.h"

namespace allot {

struct SkipOptions {
  double p_easy = .5, p_hard = .5, floor = .01;
  double target_easy = .25 / 3, target_hard = .5 / 3;
  double step = .01, p_low = .05, p_high = .95;
  UselessBounds bounds;
  int adapt_from_epoch = 1;

  template <class V>
  void fields(V& v) {
    v("p_easy", p_easy, Range{0, 1}, "keep probability after one all-right visit, at first");
    v("p_hard", p_hard, Range{0, 1}, "keep probability after one all-wrong visit, at first");
    v("floor", floor, Range{1e-6, 1}, "least keep probability of any prompt");
    v("target_easy", target_easy, Range{0, 1}, "share of all-right groups aimed at");
    v("target_hard", target_hard, Range{0, 1}, "share of all-wrong groups aimed at");
    v("step", step, Range{0, 1}, "change of p_easy and p_hard per step; 0 = they are fixed");
    v("p_low", p_low, Range{0, 1}, "least p_easy and p_hard");
    v("p_high", p_high, Range{0, 1}, "largest p_easy and p_hard");
    v("easy_from", bounds.easy_from, Range{0, 1}, "pass rate from which a group was too easy");
    v("hard_to", bounds.hard_to, Range{0, 1}, "pass rate up to which a group was too hard");
    v("adapt_from_epoch", adapt_from_epoch, Range{0, 1e6},
      "first epoch (from 0) in which p_easy and p_hard move");
  }
  // Throws Error(Config) with keys under `prefix`.
  void validate(const std::string& prefix) const;
};

// What is known of all prompts, and who is skipped in the open step.
class Skipping {
 public:
  explicit Skipping(const SkipOptions& options)
      : options_(options), easy_{options.p_easy}, hard_{options.p_hard} {}

  // Starts a step of `epoch`.
  void open(std::uint64_t seed, std::uint64_t step, std::uint32_t epoch);

  // Those of the shown prompts that are not skipped. A prompt's chance is drawn by its own key,
  // whenever it is shown in the step.
  std::vector<PromptRef> survivors(std::span<const PromptRef> shown);

  // The probability with which the prompt was last rolled out.
  double keep(PromptId prompt) const;

  // Ends the step. Every group with a score is a visit, also one that the batch dropped; a skipped
  // prompt has none. Then the base probabilities move by the shares of useless groups.
  void learn(std::span<const GroupReport> reports, MetricList& metrics);

  template <class V>
  void state(V& v) {
    v(runs_);
    v(easy_.base);
    v(hard_.base);
    v(seed_);
    v(step_);
    v(epoch_);
    v(skipped_easy_);
    v(skipped_hard_);
    v(skipped_lengths_);
  }

 private:
  bool keeps(PromptId prompt, UselessRun& run);

  SkipOptions options_;
  PromptTable<UselessRun> runs_;  // of visited prompts
  KeepRate easy_, hard_;
  std::uint64_t seed_ = 0, step_ = 0;
  std::uint32_t epoch_ = 0;
  std::uint64_t skipped_easy_ = 0, skipped_hard_ = 0;  // in this step
  std::uint64_t skipped_lengths_ = 0;                  // sum of their runs
};

}  // namespace allot
