#include "allot/methods/parts/stages.h"

#include <algorithm>

#include "allot/methods/parts/requests.h"

namespace allot {

std::vector<GenRequest> request_stage(std::span<const PromptId> prompts, std::uint32_t n,
                                      std::uint32_t tag, const Budget& left, GroupPool& pool) {
  std::vector<GenRequest> requests;
  requests.reserve(prompts.size());
  std::uint64_t affordable = affordable_rollouts(left);
  for (const PromptId prompt : prompts) {
    const std::uint32_t have = pool.group(prompt).requested;
    const std::uint32_t room = left.n_max > 0 ? left.n_max - std::min(left.n_max, have) : n;
    const auto m = static_cast<std::uint32_t>(std::min<std::uint64_t>({n, room, affordable}));
    if (m == 0) continue;
    pool.request(prompt, m);
    requests.push_back({prompt, m, tag});
    affordable -= m;
  }
  return requests;
}

}  // namespace allot
