#include "allot/tasks/prompt_cache.h"

#include <utility>

namespace allot {

const Prompt& PromptCache::get(std::uint32_t place, const std::function<Prompt()>& read) {
  const std::lock_guard lock(mutex_);
  auto found = entries_.find(place);
  if (found == entries_.end()) {
    if (!in_step_ && entries_.size() >= full_) drop_old();
    Prompt prompt = read();
    found = entries_.emplace(place, Entry{std::move(prompt)}).first;
    ++loads_;
  }
  found->second.loads = loads_;
  return found->second.prompt;
}

void PromptCache::begin_step() {
  const std::lock_guard lock(mutex_);
  in_step_ = true;
  entries_.clear();
}

std::size_t PromptCache::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

// Rare enough to cost little, also where most were asked for again and stay.
void PromptCache::drop_old() {
  std::erase_if(entries_, [&](const auto& pair) {
    return loads_ - pair.second.loads >= PromptSource::kStay;
  });
  full_ = entries_.size() + PromptSource::kStay;
}

}  // namespace allot
