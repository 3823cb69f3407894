#include "allot/methods/alloc_options.h"

#include "allot/core/error.h"
#include "allot/methods/registry.h"

namespace allot {

AllocOptions::AllocOptions() {
  for (const MethodInfo& info : methods()) sections.emplace_back(info.name, info.options);
}

void AllocOptions::validate() const {
  const MethodInfo& info = method_info(method);
  require_option(n_max == 0 || n_min <= n_max, "alloc.n_min", n_min,
                 concat("at most alloc.n_max (", n_max, ")"));
  const auto& range = refill.accept_range;
  if (!range.empty() && (range.size() != 2 || range[0] > range[1]))
    throw Error(
        ErrorKind::Config, "alloc.refill.accept_range",
        concat(range.size(), " numbers were given; none or two in ascending order are needed"),
        "for example [0.1, 0.9]");
  section(info.name).validate(*this);
}

const MethodSection& AllocOptions::section(std::string_view method_name) const {
  for (const auto& [name, section] : sections)
    if (name == method_name) return section;
  return method_info(method_name).options;
}

void require_option(bool holds, std::string_view key, double given, std::string_view needed) {
  if (!holds)
    throw Error(ErrorKind::Config, key, concat(given, " was given; ", needed, " is needed"));
}

void require_group_of_two(const AllocOptions& options) {
  require_option(options.group_size >= 2, "alloc.group_size", options.group_size,
                 concat("at least 2 (for ", options.method, " one rollout has no baseline)"));
}

Budget step_budget(const AllocOptions& options, std::uint32_t prompts_per_step,
                   std::uint32_t max_tokens, std::uint64_t max_steps) {
  const auto given = [](std::uint64_t value) {
    return value > 0 ? std::optional(value) : std::nullopt;
  };
  const BudgetOptions& b = options.budget;
  Budget budget;
  budget.groups = prompts_per_step;
  budget.rollouts = given(b.rollouts)
                        .value_or(std::uint64_t{prompts_per_step} *
                                  static_cast<std::uint64_t>(options.group_size));
  budget.tokens = b.tokens;
  budget.hard_rollouts = given(b.hard_rollouts);
  budget.hard_tokens = given(b.hard_tokens);
  budget.run_rollouts = given(b.run_rollouts);
  budget.run_steps = given(b.run_steps > 0 ? b.run_steps : max_steps);
  budget.n_min = static_cast<std::uint32_t>(options.n_min);
  budget.n_max = static_cast<std::uint32_t>(options.n_max);
  budget.max_tokens = max_tokens;
  return budget;
}

}  // namespace allot
