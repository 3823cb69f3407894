#include "allot/methods/parts/screen_queues.h"

#include <algorithm>
#include <set>

#include "allot/core/error.h"

namespace allot {
namespace {

bool continued(const ScreenedGroup& entry) {
  const auto& rollouts = entry.group.rollouts;
  return std::any_of(rollouts.begin() + entry.screened, rollouts.end(),
                     [](const OwnedOutcome& o) { return o.record.status != Status::Cancelled; });
}

}  // namespace

void ScreenQueues::index() {
  pending_at_.clear();
  ready_at_.clear();
  for (std::size_t i = 0; i < pending_.size(); ++i) pending_at_[pending_[i].group.prompt] = i;
  for (std::size_t i = 0; i < ready_.size(); ++i) ready_at_[ready_[i].prompt] = i;
}

const Group* ScreenQueues::find(PromptId prompt) const {
  if (const std::size_t* place = pending_at_.find(prompt)) return &pending_[*place].group;
  const std::size_t* place = ready_at_.find(prompt);
  return place ? &ready_[*place] : nullptr;
}

std::uint64_t ScreenQueues::rollouts() const {
  std::uint64_t n = 0;
  for (const ScreenedGroup& entry : pending_) n += entry.group.rollouts.size();
  for (const Group& group : ready_) n += group.rollouts.size();
  return n;
}

std::vector<RolloutId> ScreenQueues::scored_ids() const {
  std::vector<RolloutId> ids;
  for (const ScreenedGroup& entry : pending_) add_scored_ids(entry.group, ids);
  for (const Group& group : ready_) add_scored_ids(group, ids);
  return ids;
}

std::uint32_t ScreenQueues::open(Version policy, std::uint32_t max_age,
                                 std::span<const RolloutId> lost) {
  const std::set<RolloutId> gone(lost.begin(), lost.end());
  const auto useless = [&](const Group& group) {
    const auto scored = group.scored();
    return age_of(group, policy) > max_age ||
           std::any_of(scored.begin(), scored.end(),
                       [&](std::uint32_t i) { return gone.count(group[i].id) > 0; });
  };
  for (ScreenedGroup& entry : pending_) entry.asked = false;
  const auto pending =
      std::erase_if(pending_, [&](const ScreenedGroup& entry) { return useless(entry.group); });
  const auto ready = std::erase_if(ready_, useless);
  index();
  return static_cast<std::uint32_t>(pending + ready);
}

void ScreenQueues::qualify(const Group& screened) {
  pending_at_[screened.prompt] = pending_.size();
  pending_.push_back({spares_.take(), static_cast<std::uint32_t>(screened.rollouts.size())});
  pending_.back().group = screened;
}

std::vector<PromptId> ScreenQueues::to_continue(std::uint64_t most) {
  std::vector<PromptId> prompts;
  for (ScreenedGroup& entry : pending_) {
    if (entry.asked || prompts.size() >= most) continue;
    entry.asked = true;
    prompts.push_back(entry.group.prompt);
  }
  return prompts;
}

void ScreenQueues::add(const Outcome& outcome) {
  const std::size_t* place = pending_at_.find(outcome.prompt);
  if (!place)
    throw Error(ErrorKind::Internal, "screen queues",
                concat("an outcome of prompt ", outcome.prompt, " arrived, which is not pending"));
  pending_[*place].group.add(outcome);
}

void ScreenQueues::settle() {
  std::vector<ScreenedGroup> waiting;
  for (ScreenedGroup& entry : pending_) {
    if (entry.asked && continued(entry))
      ready_.push_back(std::move(entry.group));
    else
      waiting.push_back(std::move(entry));
  }
  pending_ = std::move(waiting);
  index();
}

void ScreenQueues::pop_ready(std::size_t n) {
  const auto end = ready_.begin() + static_cast<std::ptrdiff_t>(std::min(n, ready_.size()));
  for (auto group = ready_.begin(); group != end; ++group) spares_.give(std::move(*group));
  ready_.erase(ready_.begin(), end);
  index();
}

}  // namespace allot
