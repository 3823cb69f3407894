// The names that TRL and verl give to metrics of ours, for scripts and dashboards that expect them.
//
// Written beside our names into metrics.jsonl and the TensorBoard files, never instead of them, and
// not into run.sqlite. A metric that the other project defines differently for groups of uneven
// size has no alias. Source: conventions, section 5; table in docs/metrics.md.
#pragma once

#include <string>
#include <vector>

#include "allot/core/types.h"

namespace allot {

// Appends to `metrics` the aliases of its members; `of`: any of "trl" and "verl", "none" adds
// nothing. For "trl" reward/FUNCTION/* is rewards/FUNCTION/*, too. What is a sum of several
// (frac_reward_zero_std) comes only if all of them are there.
void add_aliases(std::vector<Metric>& metrics, const std::vector<std::string>& of);

struct MetricAlias {
  const char* ours;
  const char* theirs;
};
std::vector<MetricAlias> metric_aliases(const std::string& of);  // for documentation and tests

}  // namespace allot
