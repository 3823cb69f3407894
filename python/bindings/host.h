// What a host says about itself and about what it may spend: allot.Host, allot.Budget.
#pragma once

#include <optional>

#include "allot/core/controller.h"
#include "bindings/values.h"

namespace allot::python {

// core/types.h Budget, with fields left out by the caller absent. hard_* and run_* are already.
struct GivenBudget {
  std::optional<std::uint64_t> groups, rollouts, tokens, hard_rollouts, hard_tokens, run_rollouts,
      run_steps, n_min, n_max, max_tokens;
};

HostTraits everything();  // a host that serves all there is

// "rollout", "round", ...: the values of an enum of core/types.h in their order.
template <class Enum>
std::vector<std::string> names_of(Enum last) {
  std::vector<std::string> names;
  for (int i = 0; i <= static_cast<int>(last); ++i) names.emplace_back(name(static_cast<Enum>(i)));
  return names;
}

}  // namespace allot::python
