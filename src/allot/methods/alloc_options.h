// alloc.*: which method, how many rollouts, what it may spend; alloc.<method>.*: its own options.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "allot/core/options.h"
#include "allot/core/types.h"
#include "allot/methods/method_section.h"

namespace allot {

// alloc.budget.*; 0 = the default named in the text.
struct BudgetOptions {
  std::uint64_t rollouts = 0, tokens = 0;
  std::uint64_t hard_rollouts = 0, hard_tokens = 0;
  std::uint64_t run_rollouts = 0, run_steps = 0;

  template <class V>
  void fields(V& v) {
    const Range count{0, 1e15};
    v("rollouts", rollouts, count,
      "rollouts aimed at in a step; 0 = train.prompts_per_step * alloc.group_size");
    v("tokens", tokens, count, "generated tokens aimed at in a step; 0 = no aim");
    v("hard_rollouts", hard_rollouts, count, "most rollouts of a step; 0 = no cap");
    v("hard_tokens", hard_tokens, count,
      "most generated tokens of a step, each rollout counted at its full length when it is "
      "requested; 0 = no cap");
    v("run_rollouts", run_rollouts, count, "most rollouts of the whole run; 0 = no cap");
    v("run_steps", run_steps, count, "steps the run is planned for; 0 = train.max_steps");
  }
};

// alloc.refill.*: of the methods that draw further prompts within a step.
struct RefillOptions {
  int max_rounds = 10;
  bool keep_surplus = true;
  int max_age = 1;
  std::vector<double> accept_range;

  template <class V>
  void fields(V& v) {
    v("max_rounds", max_rounds, Range{1, 1e6},
      "draws of prompts per step, the first one included; then the step trains on what it has");
    v("keep_surplus", keep_surplus,
      "keep finished groups that the step did not need for the next one; else they are discarded");
    v("max_age", max_age, Range{1, 1e6},
      "a kept group is trained on at most this many updates after the policy that made it");
    v("accept_range", accept_range, Range{0, 1},
      "[low, high]: a group is accepted only if its pass rate lies in it; empty = any mixed group");
  }
};

struct AllocOptions {
  std::string method = "grpo";
  int group_size = 8;
  int n_min = 0, n_max = 0;
  double prior_strength = 0;
  BudgetOptions budget;
  RefillOptions refill;
  std::vector<std::pair<std::string, MethodSection>> sections;  // one per registered method

  AllocOptions();  // all defaults

  template <class V>
  void fields(V& v) {
    v("method", method,
      "how rollouts are spent: grpo, dapo, ...; `allot methods` lists all; mopps+aero: the first "
      "chooses the prompts, the second does the rest");
    v("group_size", group_size, Range{1, 65536},
      "rollouts per prompt that the method aims at on average");
    v("n_min", n_min, Range{0, 65536}, "least rollouts of a planned prompt; 0 = the method's own");
    v("n_max", n_max, Range{0, 65536}, "most rollouts of a prompt in a step; 0 = the method's own");
    v("prior_strength", prior_strength, Range{0, 1e6},
      "rollouts that a prompt's prior_pass_rate counts for, in methods that keep a belief of pass "
      "rates; 0 = as many as the method's own prior");
    v("budget", budget);
    v("refill", refill);
    for (auto& [name, section] : sections) v(name.c_str(), section);
  }

  // The shared rules and those of the chosen method. Throws Error(Config); an unknown method names
  // the nearest one.
  void validate() const;

  const MethodSection& section(std::string_view method_name) const;
};

// Throws Error(Config) "[key] given was given; needed is needed" unless `holds`.
void require_option(bool holds, std::string_view key, double given, std::string_view needed);

// For methods whose estimator compares the rollouts of a group: throws Error(Config) below two.
void require_group_of_two(const AllocOptions& options);

// The budget of one step. groups = prompts_per_step; rollouts = groups * group_size unless given.
// `max_tokens`: longest answer, 0 = unknown. `max_steps`: of the run, 0 = open.
Budget step_budget(const AllocOptions& options, std::uint32_t prompts_per_step,
                   std::uint32_t max_tokens = 0, std::uint64_t max_steps = 0);

}  // namespace allot
