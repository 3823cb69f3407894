// State kept per prompt: the one container of beliefs, traces, scores and records.
//
//   PromptTable<Counts> counts_;
//   counts_[prompt].trials += 1;            // made on first use, value-initialised
//   if (const Counts* c = counts_.find(prompt)) ...
//   template <class V> void state(V& v) { v(counts_); }
//
// Iteration is in id order, so sums over prompts do not depend on the order of arrival.
//
// Made for pools of a million prompts: sorted blocks of entries, so that a pass over all reads
// memory in order (a tree takes ten times as long) and an entry costs little more than its size: 8
// bytes for the id, and the room left in half-filled blocks, which is none if ids come ascending.
#pragma once

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <type_traits>
#include <utility>
#include <vector>

#include "allot/core/types.h"

namespace allot {

template <class Record>
class PromptTable {
 public:
  using Entry = std::pair<PromptId, Record>;  // the id must not be changed

  template <bool kConst>
  class Iterator {
   public:
    using Blocks = std::conditional_t<kConst, const std::vector<std::vector<Entry>>,
                                      std::vector<std::vector<Entry>>>;
    using iterator_category = std::forward_iterator_tag;
    using value_type = Entry;
    using difference_type = std::ptrdiff_t;
    using reference = std::conditional_t<kConst, const Entry&, Entry&>;
    using pointer = std::conditional_t<kConst, const Entry*, Entry*>;

    Iterator() = default;
    Iterator(Blocks* blocks, std::size_t block) : blocks_(blocks), block_(block) { enter(); }
    reference operator*() const { return *at_; }
    pointer operator->() const { return at_; }
    Iterator& operator++() {
      if (++at_ == last_) {
        ++block_;
        enter();
      }
      return *this;
    }
    Iterator operator++(int) {
      const Iterator old = *this;
      ++*this;
      return old;
    }
    bool operator==(const Iterator& other) const { return at_ == other.at_; }

   private:
    void enter() {  // blocks are never empty
      const bool inside = block_ < blocks_->size();
      at_ = inside ? (*blocks_)[block_].data() : nullptr;
      last_ = inside ? at_ + (*blocks_)[block_].size() : nullptr;
    }
    Blocks* blocks_ = nullptr;
    std::size_t block_ = 0;
    pointer at_ = nullptr, last_ = nullptr;
  };

  Record& operator[](PromptId prompt) {
    const std::size_t b = block_of(prompt);
    if (blocks_.empty()) return insert(b, 0, prompt);
    const std::size_t place = place_in(blocks_[b], prompt);
    if (holds(blocks_[b], place, prompt)) return blocks_[b][place].second;
    return insert(b, place, prompt);
  }

  // nullptr for a prompt without a record. Pointers, references and iterators stay valid until the
  // next record is made or erased.
  const Record* find(PromptId prompt) const {
    if (blocks_.empty()) return nullptr;
    const std::vector<Entry>& block = blocks_[block_of(prompt)];
    const std::size_t place = place_in(block, prompt);
    return holds(block, place, prompt) ? &block[place].second : nullptr;
  }
  Record* find(PromptId prompt) { return const_cast<Record*>(std::as_const(*this).find(prompt)); }
  bool contains(PromptId prompt) const { return find(prompt) != nullptr; }

  bool erase(PromptId prompt) {
    if (blocks_.empty()) return false;
    const std::size_t b = block_of(prompt);
    std::vector<Entry>& block = blocks_[b];
    const std::size_t place = place_in(block, prompt);
    if (!holds(block, place, prompt)) return false;
    block.erase(block.begin() + static_cast<std::ptrdiff_t>(place));
    if (block.empty()) {
      blocks_.erase(blocks_.begin() + static_cast<std::ptrdiff_t>(b));
      firsts_.erase(firsts_.begin() + static_cast<std::ptrdiff_t>(b));
    } else {
      firsts_[b] = block.front().first;
    }
    --size_;
    return true;
  }
  void clear() { *this = {}; }

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  auto begin() const { return Iterator<true>(&blocks_, 0); }  // pairs (prompt, record)
  auto end() const { return Iterator<true>(&blocks_, blocks_.size()); }
  auto begin() { return Iterator<false>(&blocks_, 0); }
  auto end() { return Iterator<false>(&blocks_, blocks_.size()); }

  // The number of records, then id and record of each in id order.
  template <class V>
  void state(V& v) {
    std::uint64_t count = size_;
    v(count);
    if constexpr (V::kReading) {
      clear();
      for (; count > 0; --count) {
        PromptId prompt = 0;
        v(prompt);
        v((*this)[prompt]);
      }
    } else {
      for (Entry& entry : *this) {
        v(entry.first);
        v(entry.second);
      }
    }
  }

 private:
  static constexpr std::size_t kBlock = 128;  // most entries of a block
  static constexpr std::size_t kFirstBlocks = 16;

  // The last block whose first id is not above `prompt`, else the first one.
  std::size_t block_of(PromptId prompt) const {
    const auto after = std::upper_bound(firsts_.begin(), firsts_.end(), prompt);
    return after == firsts_.begin() ? 0 : static_cast<std::size_t>(after - firsts_.begin()) - 1;
  }
  static std::size_t place_in(const std::vector<Entry>& block, PromptId prompt) {
    const auto at =
        std::lower_bound(block.begin(), block.end(), prompt,
                         [](const Entry& entry, PromptId id) { return entry.first < id; });
    return static_cast<std::size_t>(at - block.begin());
  }
  static bool holds(const std::vector<Entry>& block, std::size_t place, PromptId prompt) {
    return place < block.size() && block[place].first == prompt;
  }

  void add_block(std::size_t at) {
    if (blocks_.empty()) {  // room for the prompts of a step; the rest grows by doubling
      blocks_.reserve(kFirstBlocks);
      firsts_.reserve(kFirstBlocks);
    }
    blocks_.emplace(blocks_.begin() + static_cast<std::ptrdiff_t>(at))->reserve(kBlock);
    firsts_.insert(firsts_.begin() + static_cast<std::ptrdiff_t>(at), PromptId{0});
  }

  Record& insert(std::size_t b, std::size_t place, PromptId prompt) {
    if (blocks_.empty()) {
      add_block(0);
    } else if (blocks_[b].size() == kBlock) {
      // Halves, but for an id behind the last one: ascending ids leave full blocks.
      const bool behind_all = b + 1 == blocks_.size() && place == kBlock;
      const std::size_t kept = behind_all ? kBlock : kBlock / 2;
      add_block(b + 1);
      std::vector<Entry>&from = blocks_[b], &to = blocks_[b + 1];
      const auto cut = from.begin() + static_cast<std::ptrdiff_t>(kept);
      to.assign(std::make_move_iterator(cut), std::make_move_iterator(from.end()));
      from.erase(cut, from.end());
      if (!to.empty()) firsts_[b + 1] = to.front().first;
      if (place >= kept) ++b, place -= kept;
    }
    std::vector<Entry>& block = blocks_[b];
    const auto at = block.begin() + static_cast<std::ptrdiff_t>(place);
    Record& record = block.emplace(at, prompt, Record{})->second;
    firsts_[b] = block.front().first;
    ++size_;
    return record;
  }

  std::vector<std::vector<Entry>> blocks_;  // ids ascend within and across; none is empty
  std::vector<PromptId> firsts_;            // first id of each block
  std::size_t size_ = 0;
};

}  // namespace allot
