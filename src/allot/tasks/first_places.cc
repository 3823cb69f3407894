#include "allot/tasks/first_places.h"

#include <algorithm>
#include <array>
#include <bit>
#include <string_view>
#include <utility>

#include "allot/core/prompt_id.h"

namespace allot {

std::size_t FirstPlaces::slot_of(std::uint64_t key) const {
  const auto bytes = std::bit_cast<std::array<char, sizeof(key)>>(key);
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = hash_bytes({bytes.data(), bytes.size()}) & mask;
  while (slots_[slot] != 0 && keys_[slots_[slot] - 1] != key) slot = (slot + 1) & mask;
  return slot;
}

std::optional<std::size_t> FirstPlaces::find(std::uint64_t key) const {
  if (slots_.empty()) return std::nullopt;
  const std::uint32_t found = slots_[slot_of(key)];
  return found == 0 ? std::nullopt : std::optional<std::size_t>(found - 1);
}

void FirstPlaces::add(std::uint64_t key) {
  if (3 * (used_ + 1) > 2 * slots_.size()) grow();
  keys_.push_back(key);
  std::uint32_t& slot = slots_[slot_of(key)];
  if (slot != 0) return;
  slot = static_cast<std::uint32_t>(keys_.size());
  ++used_;
}

void FirstPlaces::grow() {
  const std::vector<std::uint32_t> old = std::exchange(
      slots_, std::vector<std::uint32_t>(std::max<std::size_t>(16, 2 * slots_.size())));
  for (const std::uint32_t place : old)
    if (place != 0) slots_[slot_of(keys_[place - 1])] = place;
}

}  // namespace allot
