#include "allot/methods/parts/tally_pool.h"

#include <algorithm>

#include "allot/core/error.h"
#include "allot/methods/parts/group_pool.h"

namespace allot {

// Exactly 0 without spread, whatever sums of floats leave behind.
double Tally::squared_deviations() const {
  if (scored == 0 || range() <= 0) return 0;
  return std::max(0.0, reward_squares - reward_sum * reward_sum / scored);
}

void TallyPool::clear() {
  tallies_.clear();
  rollouts_.clear();
  index_.clear();
  outstanding_ = 0;
}

void TallyPool::request(PromptId prompt, std::uint32_t n) {
  const std::uint32_t* place = index_.find(prompt);
  if (!place) {
    place = &(index_[prompt] = static_cast<std::uint32_t>(tallies_.size()));
    tallies_.push_back({.prompt = prompt});
  }
  tallies_[*place].requested += n;
  outstanding_ += n;
}

void TallyPool::add(std::span<const Outcome> outcomes) {
  for (const Outcome& outcome : outcomes) {
    const std::uint32_t* place = index_.find(outcome.prompt);
    if (!place || outstanding_ == 0)
      throw Error(ErrorKind::Internal, "tally pool",
                  concat("an outcome of prompt ", outcome.prompt, " was not asked for"));
    --outstanding_;
    Tally& tally = tallies_[*place];
    tally.tokens += outcome.tokens;
    tally.generated += outcome.status == Status::Ok || outcome.status == Status::Truncated;
    if (!is_scored(outcome)) continue;
    const double reward = outcome.reward;
    if (tally.scored == 0 || reward < tally.reward_low) tally.reward_low = reward, tally.at_low = 0;
    if (tally.scored == 0 || reward > tally.reward_high)
      tally.reward_high = reward, tally.at_high = 0;
    tally.at_low += reward == tally.reward_low;
    tally.at_high += reward == tally.reward_high;
    ++tally.scored;
    tally.correct += outcome.correct;
    if (outcome.round == 0) {
      ++tally.first_scored;
      tally.first_correct += outcome.correct;
    }
    tally.scored_tokens += outcome.tokens;
    tally.reward_sum += reward;
    tally.reward_squares += reward * reward;
    rollouts_.push_back({outcome.id, *place, outcome.reward});
  }
}

// Counting sort: outcomes arrive in issue order within a prompt, so it only has to be stable.
TallyPool::Sorted TallyPool::sorted() {
  first_.assign(tallies_.size() + 1, 0);
  for (const TalliedRollout& rollout : rollouts_) ++first_[rollout.tally + 1];
  for (std::size_t i = 1; i < first_.size(); ++i) first_[i] += first_[i - 1];
  by_tally_.resize(rollouts_.size());
  for (const TalliedRollout& rollout : rollouts_) by_tally_[first_[rollout.tally]++] = rollout;
  for (std::size_t i = first_.size() - 1; i > 0; --i) first_[i] = first_[i - 1];
  first_[0] = 0;
  return {by_tally_, first_};
}

void TallyPool::rebuild() {
  index_.clear();
  for (std::uint32_t i = 0; i < tallies_.size(); ++i) index_[tallies_[i].prompt] = i;
  for (const TalliedRollout& rollout : rollouts_)
    if (rollout.tally >= tallies_.size())
      throw Error(ErrorKind::Model, "tally pool", "a saved rollout belongs to no saved prompt");
}

}  // namespace allot
