// The outcomes of an open step, per prompt and in issue order: what every method remembers between
// plan() and finalize().
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <vector>

#include "allot/core/delivery.h"
#include "allot/core/prompt_table.h"
#include "allot/core/types.h"
#include "allot/core/zero_cause.h"
#include "allot/methods/parts/ragged.h"
#include "allot/methods/parts/spares.h"

namespace allot {

// Has a usable reward: it was generated, scored, and the number is finite.
bool is_scored(const Outcome& outcome);

struct Group;

// The scored rollouts of a group, possibly those of one verdict alone: a range of positions. It
// refers to the group. (clang 14 cannot read the views of GCC 12's library.)
class ScoredPositions {
 public:
  class Iterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = std::uint32_t;
    using difference_type = std::ptrdiff_t;
    using pointer = const std::uint32_t*;
    using reference = std::uint32_t;

    Iterator() = default;
    Iterator(const Group* group, std::optional<bool> correct, std::uint32_t at)
        : group_(group), correct_(correct), at_(at) {
      skip();
    }
    std::uint32_t operator*() const { return at_; }
    Iterator& operator++() {
      ++at_;
      skip();
      return *this;
    }
    Iterator operator++(int) {
      const Iterator old = *this;
      ++*this;
      return old;
    }
    bool operator==(const Iterator& other) const { return at_ == other.at_; }

   private:
    void skip();  // to the next position that belongs to it
    const Group* group_ = nullptr;
    std::optional<bool> correct_;
    std::uint32_t at_ = 0;
  };

  explicit ScoredPositions(const Group& group, std::optional<bool> correct = std::nullopt)
      : group_(&group), correct_(correct) {}
  Iterator begin() const { return {group_, correct_, 0}; }
  Iterator end() const;
  std::uint32_t size() const { return static_cast<std::uint32_t>(std::distance(begin(), end())); }

 private:
  const Group* group_;
  std::optional<bool> correct_;
};

struct Group {
  PromptId prompt = 0;
  std::uint32_t requested = 0;         // rollouts asked for in this step
  std::vector<OwnedOutcome> rollouts;  // that have ended, in issue order

  const Outcome& operator[](std::uint32_t position) const { return rollouts[position].record; }
  void add(const Outcome& outcome);
  void clear();  // keeps the room of its rollouts

  // Positions in `rollouts`, ascending: found while they are walked through, nothing is stored.
  ScoredPositions scored() const;
  ScoredPositions scored_with(bool correct) const;
  // Appends the rewards at these positions to `lists`, as one list.
  template <class Positions>
  void add_rewards(const Positions& positions, Ragged<double>& lists) const {
    for (const std::uint32_t i : positions) lists.push((*this)[i].reward);
    lists.close();
  }

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

// Updates between the oldest scored rollout of the group and `policy`.
std::uint32_t age_of(const Group& group, Version policy);

// Appends the ids of the scored rollouts.
void add_scored_ids(const Group& group, std::vector<RolloutId>& ids);

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
  Spares<Group> spares_;
  PromptTable<std::uint32_t> index_;
  std::uint64_t outstanding_ = 0;
};

}  // namespace allot
