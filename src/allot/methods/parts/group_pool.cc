#include "allot/methods/parts/group_pool.h"

#include <algorithm>
#include <cmath>

#include "allot/core/error.h"

namespace allot {

bool is_scored(const Outcome& outcome) {
  const bool generated = outcome.status == Status::Ok || outcome.status == Status::Truncated;
  return generated && outcome.scoring == Scoring::Scored && std::isfinite(outcome.reward);
}

ScoredPositions::Iterator ScoredPositions::end() const {
  return {group_, correct_, static_cast<std::uint32_t>(group_->rollouts.size())};
}

void ScoredPositions::Iterator::skip() {
  const auto belongs = [this](const Outcome& outcome) {
    return is_scored(outcome) && (!correct_ || outcome.correct == *correct_);
  };
  while (at_ < group_->rollouts.size() && !belongs((*group_)[at_])) ++at_;
}

ScoredPositions Group::scored() const { return ScoredPositions(*this); }
ScoredPositions Group::scored_with(bool correct) const { return ScoredPositions(*this, correct); }

std::uint32_t Group::scored_count() const { return scored().size(); }
std::uint32_t Group::correct_count() const { return scored_with(true).size(); }

ZeroCause Group::cause(double resolution, SingletonBaseline singletons) const {
  SignalTally tally;
  for (const OwnedOutcome& rollout : rollouts) tally.add(rollout.record);
  return tally.cause(resolution, singletons);
}

void Group::add(const Outcome& outcome) {
  OwnedOutcome& owned = rollouts.emplace_back();
  owned.record = outcome;
  owned.record.parts = {};
  owned.parts.assign(outcome.parts.begin(), outcome.parts.end());
}

void Group::clear() {
  requested = 0;
  rollouts.clear();
}

std::uint32_t age_of(const Group& group, Version policy) {
  std::uint32_t age = 0;
  for (const std::uint32_t i : group.scored())
    age = std::max(age, policy - std::min(policy, group[i].behaviour));
  return age;
}

void add_scored_ids(const Group& group, std::vector<RolloutId>& ids) {
  for (const std::uint32_t i : group.scored()) ids.push_back(group[i].id);
}

void GroupPool::clear() {
  for (Group& group : groups_) spares_.give(std::move(group));
  groups_.clear();
  index_.clear();
  outstanding_ = 0;
}

void GroupPool::request(PromptId prompt, std::uint32_t n) {
  const std::uint32_t* place = index_.find(prompt);
  if (!place) {
    place = &(index_[prompt] = size());
    groups_.push_back(spares_.take());
    groups_.back().prompt = prompt;
  }
  Group& group = groups_[*place];
  group.requested += n;
  const std::size_t room = group.rollouts.capacity();
  // By doubling: a prompt may be asked for a few more many times.
  if (group.requested > room)
    group.rollouts.reserve(std::max<std::size_t>(group.requested, 2 * room));
  outstanding_ += n;
}

void GroupPool::add(std::span<const Outcome> outcomes) {
  for (const Outcome& outcome : outcomes) {
    const std::uint32_t* place = index_.find(outcome.prompt);
    if (!place || outstanding_ == 0)
      throw Error(ErrorKind::Internal, "group pool",
                  concat("an outcome of prompt ", outcome.prompt, " arrived; none was requested"));
    groups_[*place].add(outcome);
    --outstanding_;
  }
}

const Group& GroupPool::group(PromptId prompt) const {
  const std::uint32_t* place = index_.find(prompt);
  if (!place)
    throw Error(ErrorKind::Internal, "group pool",
                concat("prompt ", prompt, " was not requested in this step"));
  return groups_[*place];
}

}  // namespace allot
