// Emptied values whose memory is used again: what fills and empties in every step takes nothing
// from the heap once it has grown.
#pragma once

#include <utility>
#include <vector>

namespace allot {

template <class T>  // with clear(), which keeps its memory
class Spares {
 public:
  T take() {
    if (spares_.empty()) return {};
    T value = std::move(spares_.back());
    spares_.pop_back();
    return value;
  }
  void give(T value) {
    value.clear();
    spares_.push_back(std::move(value));
  }

 private:
  std::vector<T> spares_;
};

}  // namespace allot
