#include "allot/methods/parts/rescue.h"

#include <algorithm>

#include "allot/methods/parts/requests.h"

namespace allot {

void Rescue::open(std::uint64_t pool) {
  *this = {};
  pool_ = pool;
}

void Rescue::start(std::vector<PromptId> todo) { todo_ = std::move(todo); }

void Rescue::settle(std::span<const Outcome> outcomes) {
  std::vector<PromptId> solved;
  for (const Outcome& outcome : outcomes)
    if (is_scored(outcome) && outcome.correct) solved.push_back(outcome.prompt);
  std::sort(solved.begin(), solved.end());
  rescued_ += static_cast<std::uint32_t>(std::erase_if(todo_, [&](PromptId prompt) {
    return std::binary_search(solved.begin(), solved.end(), prompt);
  }));
}

std::vector<GenRequest> Rescue::next(const RescueRule& rule, std::uint64_t seed, std::uint64_t step,
                                     const Budget& left, GroupPool& groups) {
  std::vector<GenRequest> requests;
  if (rounds_ >= rule.max_rounds) return requests;
  std::uint64_t affordable = affordable_rollouts(left);
  const std::uint64_t n_max = left.n_max > 0 ? std::min(rule.n_max, left.n_max) : rule.n_max;
  std::vector<PromptId> order = todo_;
  requests.reserve(order.size());
  // The order decides who gets the last of the pool. Prompt 0 with a sequence number from 1 on is
  // a stream that no selection uses.
  RandomStream({seed, RandomUse::Method, step, 0, 1 + rounds_}).shuffle(std::span(order));
  for (const PromptId prompt : order) {
    const std::uint64_t has = groups.group(prompt).requested;
    const std::uint64_t room = n_max > has ? n_max - has : 0;
    const auto n = static_cast<std::uint32_t>(
        std::min({std::uint64_t{rule.size}, room, pool_ - used_, affordable}));
    if (n == 0) continue;
    groups.request(prompt, n);
    requests.push_back({prompt, n, rule.tag});
    used_ += n;
    affordable -= n;
  }
  rounds_ += !requests.empty();
  return requests;
}

}  // namespace allot
