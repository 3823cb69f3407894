// The place at which a key stood first, for many millions of keys: 8 bytes per key and 6 to 11 for
// the table.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace allot {

class FirstPlaces {
 public:
  // Of the first key that is equal; nothing where there is none.
  std::optional<std::size_t> find(std::uint64_t key) const;
  // Places count up from 0; at most 2^32 - 2 keys.
  void add(std::uint64_t key);
  std::size_t size() const { return keys_.size(); }

 private:
  // Of the key's own place, or of a free one.
  std::size_t slot_of(std::uint64_t key) const;
  void grow();

  std::vector<std::uint64_t> keys_;   // by place
  std::vector<std::uint32_t> slots_;  // place + 1; 0: free. A power of two, two thirds in use
  std::size_t used_ = 0;
};

}  // namespace allot
