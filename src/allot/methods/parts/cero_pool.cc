#include "allot/methods/parts/cero_pool.h"

#include <algorithm>

#include "allot/core/random.h"

namespace allot {
namespace {

constexpr std::uint32_t kTieDraw = 0x7e0;  // RandomKey::seq of the permutation

double first_slope(const BetaPrior& prior) { return 4 * BetaBelief(prior).reward_variance(); }

}  // namespace

void CeroPool::admit(std::span<const PromptId> ids, const BetaPrior& prior, std::uint64_t seed) {
  std::vector<PromptId> fresh;
  auto at = table_.begin();
  for (const PromptId id : ids) {
    while (at != table_.end() && at->first < id) ++at;
    if (at == table_.end() || at->first != id) fresh.push_back(id);
  }
  for (const PromptId id : fresh) {
    CeroRecord& record = table_[id];
    record.belief = BetaBelief(prior);
    record.slope = first_slope(prior);
    record.tie = RandomStream({seed, RandomUse::Method, 0, id, kTieDraw}).word_at(0);
  }
}

std::size_t CeroPool::bin_of(const BetaBelief& belief) {
  return std::min(kBins - 1, static_cast<std::size_t>(belief.mean() * kBins));
}

std::vector<Ranked> CeroPool::rank(std::span<const PromptId> ids, std::size_t count) {
  bins_ = {};
  Ranking ranking(count);
  auto at = table_.begin();
  for (const PromptId id : ids) {
    while (at->first < id) ++at;
    const CeroRecord& record = at->second;
    ranking.offer({record.slope, record.tie, id});
    ++bins_[bin_of(record.belief)];
  }
  return ranking.take();
}

void CeroPool::learn(std::span<const CeroVisit> visits, const BetaPrior& prior, double kept,
                     const CeroScale& scale) {
  auto visit = visits.begin();
  for (auto& [prompt, record] : table_) {
    double planned = 0;
    if (kept < 1) record.belief.forget(kept, prior);
    if (visit != visits.end() && visit->prompt == prompt) {
      record.belief.add(visit->right, visit->wrong);
      record.units += visit->executed;
      planned = visit->planned;
      ++visit;
    }
    record.slope = next_slope(record.slope, record.belief.reward_variance(), planned, scale);
  }
}

CeroPool::Summary CeroPool::summary(const BetaPrior& prior) const {
  Summary out;
  const double unvisited = first_slope(prior);
  double sum = 0;
  for (const auto& [prompt, record] : table_) {
    sum += record.slope;
    out.slope_max = std::max(out.slope_max, record.slope);
    out.tied += record.slope == unvisited;
    if (record.units >= out.units.size()) out.units.resize(record.units + std::size_t{1});
    ++out.units[record.units];
  }
  if (size() > 0) out.slope_mean = sum / static_cast<double>(size());
  return out;
}

}  // namespace allot
