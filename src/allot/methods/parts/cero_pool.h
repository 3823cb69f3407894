// CERO's records of a whole pool of prompts: who is admitted next, and what a round changes.
//
// Every round touches every prompt, so both passes are linear, allocate nothing per prompt and do
// one logarithm each. Source: arXiv 2610.09679.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "allot/core/prompt_table.h"
#include "allot/core/types.h"
#include "allot/methods/parts/belief.h"
#include "allot/methods/parts/cero_duals.h"

namespace allot {

struct CeroRecord {
  BetaBelief belief;
  double slope = 0;
  std::uint32_t tie = 0;    // place in the fixed permutation (ids break what is still equal)
  std::uint32_t units = 0;  // executed so far

  template <class V>
  void state(V& v) {
    v(belief);
    v(slope);
    v(tie);
    v(units);
  }
};

// What a round did with one prompt. Prompts without a visit had none of it.
struct CeroVisit {
  PromptId prompt = 0;
  std::uint32_t planned = 0, executed = 0;  // units
  std::uint32_t right = 0, wrong = 0;       // scored rollouts

  template <class V>
  void state(V& v) {
    v(prompt);
    v(planned);
    v(executed);
    v(right);
    v(wrong);
  }
};

class CeroPool {
 public:
  static constexpr std::size_t kBins = 5;  // of predicted pass rates, equal in width

  // `own`: prior of prompts without a stated pass rate; `strength`: of stated_prior().
  CeroPool(const BetaPrior& own, double strength) : own_(own), strength_(strength) {}

  std::size_t size() const { return table_.size(); }
  const CeroRecord* find(PromptId prompt) const { return table_.find(prompt); }

  // Gives every new prompt of `ids` (ascending; those of `shown`) a record: its prior, and the
  // slope at no units. A stated rate counts at the first showing.
  void admit(std::span<const PromptId> ids, std::span<const PromptRef> shown, std::uint64_t seed);

  // The first `count` of `ids` (ascending, all admitted) in admission order.
  std::vector<Ranked> rank(std::span<const PromptId> ids, std::size_t count);
  // Prompts of the last rank() by predicted pass rate.
  const std::array<std::uint64_t, kBins>& bins() const { return bins_; }
  static std::size_t bin_of(const BetaBelief& belief);

  // Ends a round for all prompts: beliefs move towards their prior by `kept`, take in the `visits`
  // (ascending by prompt), and every slope makes its step with the new value and the planned units.
  void learn(std::span<const CeroVisit> visits, double kept, const CeroScale& scale);

  struct Summary {
    double slope_mean = 0, slope_max = 0;
    std::uint64_t tied = 0;            // prompts whose slope is that of an unvisited one
    std::vector<std::uint64_t> units;  // [u]: prompts with u executed units
  };
  Summary summary() const;

  template <class V>
  void state(V& v) {
    v(table_);
    v(stated_);
    for (std::uint64_t& bin : bins_) v(bin);
  }

 private:
  class Priors;

  BetaPrior own_;
  double strength_;
  PromptTable<CeroRecord> table_;
  PromptTable<float> stated_;  // pass rates of prompts that came with one
  std::array<std::uint64_t, kBins> bins_{};
};

}  // namespace allot
