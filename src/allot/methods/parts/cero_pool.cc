#include "allot/methods/parts/cero_pool.h"

#include <algorithm>

#include "allot/core/random.h"
#include "allot/methods/parts/stated_rates.h"

namespace allot {
namespace {

constexpr std::uint32_t kSlopeTieDraw = 0x7e0;  // RandomKey::seq of the permutation

double first_slope(const BetaPrior& prior) { return 4 * BetaBelief(prior).reward_variance(); }

}  // namespace

// Priors of prompts that are asked for in ascending order, without a search for each.
class CeroPool::Priors {
 public:
  explicit Priors(const CeroPool& pool) : pool_(pool), at_(pool.stated_.begin()) {}

  BetaPrior of(PromptId prompt) {
    while (at_ != pool_.stated_.end() && at_->first < prompt) ++at_;
    if (at_ == pool_.stated_.end() || at_->first != prompt) return pool_.own_;
    return stated_prior(at_->second, pool_.own_, pool_.strength_);
  }

 private:
  const CeroPool& pool_;
  PromptTable<float>::Iterator<true> at_;
};

void CeroPool::admit(std::span<const PromptId> ids, std::span<const PromptRef> shown,
                     std::uint64_t seed) {
  std::vector<PromptId> fresh;
  auto at = table_.begin();
  for (const PromptId id : ids) {
    while (at != table_.end() && at->first < id) ++at;
    if (at == table_.end() || at->first != id) fresh.push_back(id);
  }
  if (fresh.empty()) return;
  for (const PromptRef& prompt : shown)
    if (prompt.prior_pass_rate && !table_.contains(prompt.id))
      stated_[prompt.id] = *prompt.prior_pass_rate;
  Priors priors(*this);
  for (const PromptId id : fresh) {
    const BetaPrior prior = priors.of(id);
    CeroRecord& record = table_[id];
    record.belief = BetaBelief(prior);
    record.slope = first_slope(prior);
    record.tie = RandomStream({seed, RandomUse::Method, 0, id, kSlopeTieDraw}).word_at(0);
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

void CeroPool::learn(std::span<const CeroVisit> visits, double kept, const CeroScale& scale) {
  auto visit = visits.begin();
  Priors priors(*this);
  for (auto& [prompt, record] : table_) {
    double planned = 0;
    if (kept < 1) record.belief.forget(kept, priors.of(prompt));
    if (visit != visits.end() && visit->prompt == prompt) {
      record.belief.add(visit->right, visit->wrong);
      record.units += visit->executed;
      planned = visit->planned;
      ++visit;
    }
    record.slope = next_slope(record.slope, record.belief.reward_variance(), planned, scale);
  }
}

CeroPool::Summary CeroPool::summary() const {
  Summary out;
  Priors priors(*this);
  double sum = 0;
  for (const auto& [prompt, record] : table_) {
    sum += record.slope;
    out.slope_max = std::max(out.slope_max, record.slope);
    out.tied += record.slope == first_slope(priors.of(prompt));
    if (record.units >= out.units.size()) out.units.resize(record.units + std::size_t{1});
    ++out.units[record.units];
  }
  if (size() > 0) out.slope_mean = sum / static_cast<double>(size());
  return out;
}

}  // namespace allot
