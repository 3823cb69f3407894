#include "allot/methods/parts/evidence_value.h"

#include <algorithm>

namespace allot {

double group_evidence(double correct, double n) { return n > 0 ? correct * (n - correct) / n : 0; }

double group_worth(double evidence, double n, double charge) {
  return std::max(0.0, evidence - charge * n);
}

KeptPair PairKeeper::of(double right, double wrong) const {
  KeptPair kept{std::min(right, wrong), std::max(right, wrong)};
  if (rule_.keep == Keep::All || kept.rarer == 0) return kept;
  while (kept.frequent > 1) {
    const KeptPair fewer{kept.rarer, kept.frequent - 1};
    if (value(fewer) < value(kept)) break;
    kept = fewer;
  }
  return kept;
}

// P(0) = prod (b + k) / (a + b + k); P(x+1) / P(x) = (D-x)/(x+1) * (a+x)/(b+D-x-1). Products are
// collected so that a term costs one division: this runs for every prompt, block and round.
double expected_gain(const BetaBelief& belief, std::uint32_t correct, std::uint32_t n,
                     std::uint32_t block, const PairKeeper& keeper) {
  const double a = belief.a, b = belief.b;
  double above = 1, below = 1;
  for (std::uint32_t k = 0; k < block; ++k) {
    above *= b + k;
    below *= a + b + k;
    if (below > 1e200) {  // only for blocks far beyond kBlockSizes
      above /= below;
      below = 1;
    }
  }
  double probability = above / below;
  const double m = correct, total = double{1} * n + block;
  double expected = 0;
  for (std::uint32_t x = 0; x <= block; ++x) {
    expected += probability * keeper.worth(m + x, total);
    const double left = block - x;
    if (x < block) probability *= left * (a + x) / ((x + 1.0) * (b + left - 1));
  }
  return expected - keeper.worth(m, n);
}

BlockChoice best_block(const BetaBelief& belief, std::uint32_t correct, std::uint32_t n,
                       std::uint32_t room, const PairKeeper& keeper) {
  BlockChoice best;
  for (const std::uint32_t size : kBlockSizes) {
    if (size > room) break;
    const BlockChoice choice{size, expected_gain(belief, correct, n, size, keeper)};
    if (best.size == 0 || choice.per_rollout() > best.per_rollout()) best = choice;
  }
  return best;
}

void FirstBlocks::add(double correct, double n) {
  if (n < 2) return;
  count_ += 1;
  rates_ += correct / n;
  pairs_ += correct * (correct - 1) / (n * (n - 1));
}

BetaBelief FirstBlocks::prior() const {
  constexpr double kFewest = 32;
  if (count_ < kFewest) return {};
  const double mean = std::clamp(rates_ / count_, 0.02, 0.98);
  const double variance = std::max(pairs_ / count_ - mean * mean, 1e-4);
  const double strength = std::clamp(mean * (1 - mean) / variance - 1, 0.5, 20.0);
  return {mean * strength, (1 - mean) * strength};
}

// 2 sum_i i x_i / (n sum x) - (n + 1) / n over ascending x; equal values share their mean rank.
double gini(const std::map<std::uint32_t, std::uint64_t>& histogram) {
  double n = 0, sum = 0, ranked = 0;
  for (const auto& [value, count] : histogram) {
    const auto c = static_cast<double>(count);
    ranked += value * c * (n + (c + 1) / 2);
    n += c;
    sum += value * c;
  }
  return sum > 0 ? 2 * ranked / (n * sum) - (n + 1) / n : 0;
}

}  // namespace allot
