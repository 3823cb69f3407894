// The outcomes of an open step, per prompt and in issue order: what every method remembers between
// plan() and finalize().
#pragma once

#include <cstdint>
#include <ranges>
#include <span>
#include <vector>

#include "allot/core/delivery.h"
#include "allot/core/prompt_table.h"
#include "allot/core/types.h"
#include "allot/core/zero_cause.h"

namespace allot {

// Has a usable reward: it was generated, scored, and the number is finite.
bool is_scored(const Outcome& outcome);

struct Group {
  PromptId prompt = 0;
  std::uint32_t requested = 0;         // rollouts asked for in this step
  std::vector<OwnedOutcome> rollouts;  // that have ended, in issue order

  const Outcome& operator[](std::uint32_t position) const { return rollouts[position].record; }
  void add(const Outcome& outcome);

  // Positions in `rollouts`, ascending: found while they are walked through, nothing is stored.
  auto scored() const {
    return std::views::iota(0u, static_cast<std::uint32_t>(rollouts.size())) |
           std::views::filter([this](std::uint32_t i) { return is_scored((*this)[i]); });
  }
  auto scored_with(bool correct) const {
    return scored() | std::views::filter([this, correct](std::uint32_t i) {
             return (*this)[i].correct == correct;
           });
  }
  // Rewards at these positions, which may be a view or a container that outlives the result.
  template <std::ranges::viewable_range Positions>
  auto rewards(Positions&& positions) const {
    return std::views::all(std::forward<Positions>(positions)) |
           std::views::transform([this](std::uint32_t i) -> double { return (*this)[i].reward; });
  }
  auto scored_rewards() const { return rewards(scored()); }

  std::uint32_t scored_count() const;
  std::uint32_t correct_count() const;  // among the scored ones
  ZeroCause cause(double resolution, SingletonBaseline = SingletonBaseline::None) const;

  template <class V>
  void state(V& v) {
    v(prompt);
    v(requested);
    v(rollouts);
  }
};

class GroupPool {
 public:
  void clear();
  // Notes a request for `n` more rollouts; the first one plans the prompt.
  void request(PromptId prompt, std::uint32_t n);
  // Throws Error(Internal) for a prompt that was not requested.
  void add(std::span<const Outcome> outcomes);

  const std::vector<Group>& groups() const { return groups_; }  // in the order of planning
  std::uint32_t size() const { return static_cast<std::uint32_t>(groups_.size()); }
  const Group& group(PromptId prompt) const;                  // throws Error(Internal)
  std::uint64_t outstanding() const { return outstanding_; }  // rollouts requested and not ended

  template <class V>
  void state(V& v) {
    v(groups_);
    v(index_);
    v(outstanding_);
  }

 private:
  std::vector<Group> groups_;
  std::vector<Group> spare_;  // of earlier steps, empty: their room is used again
  PromptTable<std::uint32_t> index_;
  std::uint64_t outstanding_ = 0;
};

}  // namespace allot
