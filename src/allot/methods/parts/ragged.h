// Lists of different lengths, one after the other in one array: rewards, advantages or positions of
// the groups of a step, without an allocation per group. Functions of parts/ that choose or compute
// something for a group add it to such lists.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <span>
#include <vector>

namespace allot {

template <class T>
class Ragged {
 public:
  Ragged() = default;
  Ragged(std::initializer_list<std::vector<T>> lists) {
    for (const std::vector<T>& list : lists) add(list);
  }

  // Appends a list: anything that can be iterated.
  template <class List>
  void add(List&& list) {
    for (const auto& value : list) values_.push_back(value);
    close();
  }
  // The same, value by value; until it is closed, the list can still be changed.
  void push(T value) { values_.push_back(value); }
  void push(std::size_t n, T value) { values_.insert(values_.end(), n, value); }
  std::span<T> open() { return std::span(values_).subspan(start(size())); }
  void cut(std::size_t n) { values_.resize(start(size()) + n); }  // leaves the first n of open()
  void close() { ends_.push_back(values_.size()); }

  std::size_t size() const { return ends_.size(); }  // lists
  std::span<const T> operator[](std::size_t i) const {
    return std::span(values_).subspan(start(i), ends_[i] - start(i));
  }
  std::span<T> operator[](std::size_t i) {
    return std::span(values_).subspan(start(i), ends_[i] - start(i));
  }
  std::span<const T> back() const { return (*this)[size() - 1]; }
  std::span<const T> values() const { return values_; }  // of all lists

  bool operator==(const Ragged&) const = default;

 private:
  std::size_t start(std::size_t i) const { return i == 0 ? 0 : ends_[i - 1]; }

  std::vector<T> values_;
  std::vector<std::size_t> ends_;
};

}  // namespace allot
