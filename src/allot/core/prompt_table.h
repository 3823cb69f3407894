// State kept per prompt: the one container of beliefs, traces, scores and records.
//
//   PromptTable<Counts> counts_;
//   counts_[prompt].trials += 1;            // made on first use, value-initialised
//   if (const Counts* c = counts_.find(prompt)) ...
//   template <class V> void state(V& v) { v(counts_); }
//
// Iteration is in id order, so sums over prompts do not depend on the order of arrival.
#pragma once

#include <cstddef>
#include <map>
#include <utility>

#include "allot/core/types.h"

namespace allot {

template <class Record>
class PromptTable {
 public:
  Record& operator[](PromptId prompt) { return records_[prompt]; }

  // nullptr for a prompt without a record. Pointers stay valid until that record is erased.
  const Record* find(PromptId prompt) const {
    const auto found = records_.find(prompt);
    return found == records_.end() ? nullptr : &found->second;
  }
  Record* find(PromptId prompt) { return const_cast<Record*>(std::as_const(*this).find(prompt)); }
  bool contains(PromptId prompt) const { return records_.count(prompt) > 0; }
  bool erase(PromptId prompt) { return records_.erase(prompt) > 0; }
  void clear() { records_.clear(); }

  std::size_t size() const { return records_.size(); }
  bool empty() const { return records_.empty(); }
  auto begin() const { return records_.begin(); }  // pairs (prompt, record)
  auto end() const { return records_.end(); }
  auto begin() { return records_.begin(); }
  auto end() { return records_.end(); }

  template <class V>
  void state(V& v) {
    v(records_);
  }

 private:
  std::map<PromptId, Record> records_;
};

}  // namespace allot
