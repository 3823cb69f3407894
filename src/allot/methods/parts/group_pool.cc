#include "allot/methods/parts/group_pool.h"

#include <cmath>

#include "allot/core/error.h"

namespace allot {

bool is_scored(const Outcome& outcome) {
  const bool generated = outcome.status == Status::Ok || outcome.status == Status::Truncated;
  return generated && outcome.scoring == Scoring::Scored && std::isfinite(outcome.reward);
}

std::vector<std::uint32_t> Group::scored() const {
  std::vector<std::uint32_t> positions;
  positions.reserve(rollouts.size());
  for (std::uint32_t i = 0; i < rollouts.size(); ++i)
    if (is_scored((*this)[i])) positions.push_back(i);
  return positions;
}

std::vector<std::uint32_t> Group::scored_with(bool correct) const {
  std::vector<std::uint32_t> positions = scored();
  std::erase_if(positions, [&](std::uint32_t i) { return (*this)[i].correct != correct; });
  return positions;
}

std::uint32_t Group::scored_count() const { return static_cast<std::uint32_t>(scored().size()); }

std::uint32_t Group::correct_count() const {
  return static_cast<std::uint32_t>(scored_with(true).size());
}

std::vector<double> Group::rewards(std::span<const std::uint32_t> positions) const {
  std::vector<double> out;
  out.reserve(positions.size());
  for (const std::uint32_t i : positions) out.push_back((*this)[i].reward);
  return out;
}

ZeroCause Group::cause(double resolution, SingletonBaseline singletons) const {
  std::vector<Outcome> outcomes;
  outcomes.reserve(rollouts.size());
  for (const OwnedOutcome& rollout : rollouts) outcomes.push_back(rollout.record);
  return zero_cause(outcomes, resolution, singletons);
}

void GroupPool::clear() { *this = {}; }

void GroupPool::request(PromptId prompt, std::uint32_t n) {
  const auto next = static_cast<std::uint32_t>(groups_.size());
  const auto [entry, is_new] = index_.emplace(prompt, next);
  if (is_new) groups_.push_back({prompt, 0, {}});
  Group& group = groups_[entry->second];
  group.requested += n;
  group.rollouts.reserve(group.requested);
  outstanding_ += n;
}

void GroupPool::add(std::span<const Outcome> outcomes) {
  for (const Outcome& outcome : outcomes) {
    const auto entry = index_.find(outcome.prompt);
    if (entry == index_.end() || outstanding_ == 0)
      throw Error(ErrorKind::Internal, "group pool",
                  concat("an outcome of prompt ", outcome.prompt, " arrived; none was requested"));
    OwnedOutcome owned{outcome, {outcome.parts.begin(), outcome.parts.end()}};
    owned.record.parts = {};
    groups_[entry->second].rollouts.push_back(std::move(owned));
    --outstanding_;
  }
}

const Group& GroupPool::group(PromptId prompt) const {
  const auto entry = index_.find(prompt);
  if (entry == index_.end())
    throw Error(ErrorKind::Internal, "group pool",
                concat("prompt ", prompt, " was not requested in this step"));
  return groups_[entry->second];
}

}  // namespace allot
