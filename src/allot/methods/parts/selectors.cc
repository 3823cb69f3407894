#include "allot/methods/parts/selectors.h"

#include <algorithm>
#include <iterator>

namespace allot {
namespace {

Positions merged(std::span<const std::uint32_t> a, std::span<const std::uint32_t> b) {
  Positions all;
  all.reserve(a.size() + b.size());
  std::merge(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(all));
  return all;
}

}  // namespace

RandomStream selection_stream(std::uint64_t seed, std::uint64_t step, PromptId prompt) {
  return RandomStream({seed, RandomUse::Method, step, prompt, 0});
}

Positions random_subset(std::span<const std::uint32_t> positions, std::uint32_t k,
                        RandomStream stream) {
  const auto n = static_cast<std::uint32_t>(positions.size());
  Positions kept = stream.sample(n, std::min(k, n));
  for (std::uint32_t& i : kept) i = positions[i];
  std::sort(kept.begin(), kept.end());
  return kept;
}

Positions keep_correct_and_some_wrong(std::span<const std::uint32_t> correct,
                                      std::span<const std::uint32_t> wrong,
                                      std::uint32_t wrong_per_correct, RandomStream stream) {
  const std::uint64_t wanted = std::uint64_t{wrong_per_correct} * correct.size();
  const auto k = static_cast<std::uint32_t>(std::min<std::uint64_t>(wanted, wrong.size()));
  return merged(random_subset(wrong, k, stream), correct);
}

Positions balanced_firsts(std::span<const std::uint32_t> correct,
                          std::span<const std::uint32_t> wrong, std::uint32_t n) {
  const std::size_t half = std::min<std::size_t>(n / 2, correct.size());
  const std::size_t from_wrong = std::min<std::size_t>(n - half, wrong.size());
  const std::size_t from_correct = std::min<std::size_t>(n - from_wrong, correct.size());
  return merged(correct.first(from_correct), wrong.first(from_wrong));
}

}  // namespace allot
