// AERO's curation: the few rollouts of each finished group that are trained on, and their
// advantages. Source: arXiv 2602.14338; the scale of one-sided groups is ours (the paper replaces
// only the mean, which leaves a standard deviation of 0).
//
//   none or all correct   random kept_one_sided; r - u over sqrt(u (1 - u)), u = posterior mean
//   pass rate < high      all correct, kept_wrong random wrong ones per correct one; group relative
//   otherwise             all; group relative
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "allot/core/options.h"
#include "allot/methods/parts/advantages.h"
#include "allot/methods/parts/group_pool.h"
#include "allot/methods/parts/metric_list.h"
#include "allot/methods/parts/ragged.h"
#include "allot/methods/parts/strata.h"

namespace allot {

enum class OneSidedScale { Bernoulli, NoneStd, Off };

struct CurationOptions {
  double high = 0.5;
  int kept_wrong = 1, kept_one_sided = 4;
  OneSidedScale degenerate = OneSidedScale::Bernoulli;
  double prior_a = 1, prior_b = 1;

  template <class V>
  void fields(V& v) {
    v("high", high, Range{0, 1}, "pass rate from which all rollouts of a mixed group are kept");
    v("kept_wrong", kept_wrong, Range{1, 65536}, "wrong rollouts kept per correct one below that");
    v("kept_one_sided", kept_one_sided, Range{1, 65536},
      "rollouts kept of a group that is all right or all wrong");
    v("degenerate", degenerate,
      Choices<OneSidedScale>{{"bernoulli", OneSidedScale::Bernoulli},
                             {"none_std", OneSidedScale::NoneStd},
                             {"off", OneSidedScale::Off}},
      "advantage in such a group, with the posterior mean u: (r - u) / sqrt(u (1 - u)), r - u, or "
      "none at all");
    v("prior_a", prior_a, Range{1e-6, 1e6}, "successes that the prior of u counts");
    v("prior_b", prior_b, Range{1e-6, 1e6}, "failures that the prior of u counts");
  }
};

// Of the groups of a step; entry or list i belongs to groups[i].
struct Curation {
  std::span<const Group> groups;
  std::vector<Stratum> strata;
  Ragged<std::uint32_t> kept;  // positions in the group; empty: nothing is trained on
  Ragged<double> advantages;   // of `kept`
};

// Refers to `groups`. Draws are keyed by (seed, step, prompt).
Curation curate(std::span<const Group> groups, const CurationOptions& options,
                const AdvantageRule& rule, std::uint64_t seed, std::uint64_t step);

// kept_per_prompt, share_{partial,high,all_pass_kept}, zero_ratio_{explore,after_rescue} and the
// mean absolute advantage per stratum.
MetricList curation_metrics(const Curation& curation);

}  // namespace allot
