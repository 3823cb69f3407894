#include "allot/methods/parts/ballot.h"

#include <algorithm>
#include <cmath>

namespace allot {

std::optional<std::uint32_t> needed_lead(const VoteRule& rule, std::uint32_t seen) {
  const double others = std::max(rule.classes, seen) - 1.0;
  const double ratio = rule.p0 * others / (1 - rule.p0);
  if (!(ratio > 1)) return std::nullopt;
  const double lead = std::log(rule.evidence) / std::log(ratio);
  // Exact multiples must not be lifted to the next whole number by rounding.
  return static_cast<std::uint32_t>(std::max(1.0, std::ceil(lead - 1e-12)));
}

void Ballot::add(std::int64_t answer) {
  auto entry = std::find_if(votes_.begin(), votes_.end(),
                            [&](const Votes& votes) { return votes.answer == answer; });
  if (entry == votes_.end()) entry = votes_.insert(entry, {answer, 0});
  ++entry->votes;
  const auto now = leader();
  if (!now) return;
  changes_ += last_leader_ && *last_leader_ != *now;
  last_leader_ = now;
}

void Ballot::clear() {
  votes_.clear();
  last_leader_.reset();
  changes_ = 0;
}

std::uint32_t Ballot::lead() const {
  std::uint32_t first = 0, second = 0;
  for (const auto& [answer, votes] : votes_) {
    second = std::max(second, std::min(first, votes));
    first = std::max(first, votes);
  }
  return first - second;
}

std::optional<std::int64_t> Ballot::leader() const {
  if (lead() == 0) return std::nullopt;
  const auto most =
      std::max_element(votes_.begin(), votes_.end(),
                       [](const Votes& a, const Votes& b) { return a.votes < b.votes; });
  return most->answer;
}

bool Ballot::decided(const VoteRule& rule) const {
  const auto needed = needed_lead(rule, classes());
  return needed && lead() >= *needed;
}

}  // namespace allot
