#include "allot/methods/parts/prompt_draws.h"

#include <algorithm>

namespace allot {

void PromptDraws::open(std::span<const PromptRef> shown, std::uint32_t max_draws) {
  *this = {};
  max_draws_ = max_draws;
  for (const PromptRef& prompt : shown) shown_.push_back(prompt.id);
}

void PromptDraws::start(std::uint32_t size) {
  const bool at_hand = !exhausted_ || taken_ < shown_.size();
  to_take_ = at_hand && count_ < max_draws_ ? size : 0;
  count_ += to_take_ > 0;
}

std::vector<PromptId> PromptDraws::take() {
  const auto n = std::min<std::uint64_t>(to_take_, shown_.size() - taken_);
  const auto first = shown_.begin() + static_cast<std::ptrdiff_t>(taken_);
  taken_ += n;
  to_take_ -= static_cast<std::uint32_t>(n);
  return {first, first + static_cast<std::ptrdiff_t>(n)};
}

std::uint32_t PromptDraws::wish() {
  wishing_ = to_take_ > 0 && !exhausted_;
  return wishing_ ? to_take_ : 0;
}

void PromptDraws::answer(std::span<const PromptRef> prompts, std::span<const PromptRef> usable) {
  if (wishing_ && prompts.empty()) exhausted_ = true;
  wishing_ = false;
  for (const PromptRef& prompt : usable) shown_.push_back(prompt.id);
}

}  // namespace allot
