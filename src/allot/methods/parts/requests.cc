#include "allot/methods/parts/requests.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace allot {

std::uint64_t affordable_rollouts(const Budget& left) {
  std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
  if (left.hard_rollouts) most = std::min(most, *left.hard_rollouts);
  if (left.run_rollouts) most = std::min(most, *left.run_rollouts);
  if (left.hard_tokens && left.max_tokens > 0)
    most = std::min(most, *left.hard_tokens / left.max_tokens);
  return most;
}

std::uint32_t affordable_groups(std::uint32_t n, const Budget& left) {
  const std::uint64_t most = std::numeric_limits<std::uint32_t>::max();
  return static_cast<std::uint32_t>(std::min(most, affordable_rollouts(left) / n));
}

std::uint32_t within_bounds(std::uint32_t n, const Budget& budget) {
  if (budget.n_max > 0) n = std::min(n, budget.n_max);
  return std::max(n, budget.n_min);
}

std::vector<GenRequest> request_each(std::span<const PromptId> prompts, std::uint32_t n,
                                     std::uint64_t affordable, GroupPool& pool) {
  std::vector<GenRequest> requests;
  requests.reserve(prompts.size());
  const std::uint64_t smallest = std::min<std::uint64_t>(n, 2);  // one alone has no baseline
  for (const PromptId prompt : prompts) {
    const auto m = static_cast<std::uint32_t>(std::min<std::uint64_t>(n, affordable));
    if (m < smallest || m == 0) break;
    pool.request(prompt, m);
    requests.push_back({prompt, m});
    affordable -= m;
  }
  return requests;
}

std::vector<GenRequest> request_counts(std::span<const PromptId> prompts,
                                       std::span<const std::uint32_t> counts, GroupPool& pool) {
  std::vector<GenRequest> requests;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] == 0) continue;
    pool.request(prompts[i], counts[i]);
    requests.push_back({prompts[i], counts[i]});
  }
  std::stable_sort(requests.begin(), requests.end(),
                   [](const GenRequest& a, const GenRequest& b) { return a.n > b.n; });
  return requests;
}

Decision ask(std::vector<GenRequest> requests) {
  const bool nothing = requests.empty();
  return {.generate = std::move(requests), .done = nothing};
}

Decision ask_each(const BatchView& view, std::uint32_t n, GroupPool& pool) {
  return ask(request_each(ids_of(view.candidates), within_bounds(n, view.budget),
                          affordable_rollouts(view.budget), pool));
}

Decision await_all(const Events& events, GroupPool& pool) {
  pool.add(events.outcomes);
  return {.done = events.deadline || pool.outstanding() == 0};
}

std::vector<PromptId> ids_of(std::span<const PromptRef> prompts) {
  std::vector<PromptId> ids;
  ids.reserve(prompts.size());
  for (const PromptRef& prompt : prompts) ids.push_back(prompt.id);
  return ids;
}

}  // namespace allot
