#include "allot/methods/parts/selectors.h"

#include <algorithm>

namespace allot {

RandomStream selection_stream(std::uint64_t seed, std::uint64_t step, PromptId prompt) {
  return RandomStream({seed, RandomUse::Method, step, prompt, 0});
}

void draw_to_front(std::span<std::uint32_t> values, std::uint32_t k, RandomStream stream) {
  for (std::size_t i = 0; i < k; ++i)
    std::swap(values[i], values[i + stream.below(values.size() - i)]);
}

void leave_random_subset(Ragged<std::uint32_t>& kept, std::uint32_t k, RandomStream stream) {
  const std::span<std::uint32_t> all = kept.open();
  k = std::min(k, static_cast<std::uint32_t>(all.size()));
  draw_to_front(all, k, stream);
  std::sort(all.begin(), all.begin() + k);
  kept.cut(k);
}

void add_correct_and_some_wrong(const Group& group, std::uint32_t wrong_per_correct,
                                RandomStream stream, Ragged<std::uint32_t>& kept) {
  const std::uint64_t wanted = std::uint64_t{wrong_per_correct} * group.correct_count();
  const auto k = static_cast<std::uint32_t>(std::min<std::uint64_t>(wanted, group.scored_count()));
  for (const std::uint32_t i : group.scored_with(false)) kept.push(i);
  leave_random_subset(kept, k, stream);
  for (const std::uint32_t i : group.scored_with(true)) kept.push(i);
  std::sort(kept.open().begin(), kept.open().end());
  kept.close();
}

std::array<std::uint32_t, 2> balanced_firsts(std::array<std::uint32_t, 2> sides, std::uint32_t n) {
  const std::uint32_t half = std::min(n / 2, sides[1]);
  const std::uint32_t first = std::min(n - half, sides[0]);
  return {first, std::min(n - first, sides[1])};
}

}  // namespace allot
