#include "allot/tasks/rewards/shaping.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <set>
#include <vector>

#include "allot/tasks/scored_verifier.h"

namespace allot {
namespace {

constexpr std::string_view kOpen = "<think>", kClose = "</think>";

std::vector<std::string_view> words_of(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n\v\f";
  std::vector<std::string_view> words;
  for (std::size_t at = text.find_first_not_of(kSpace); at != std::string_view::npos;) {
    const std::size_t end = std::min(text.find_first_of(kSpace, at), text.size());
    words.push_back(text.substr(at, end - at));
    at = text.find_first_not_of(kSpace, end);
  }
  return words;
}

}  // namespace

double think_format(std::string_view response) {
  std::string_view rest = trimmed(response);
  if (!rest.starts_with(kOpen)) return 0;
  rest.remove_prefix(kOpen.size());
  const std::size_t close = rest.find(kClose);
  if (close == std::string_view::npos || rest.find(kOpen) != std::string_view::npos) return 0;
  const std::string_view behind = rest.substr(close + kClose.size());
  return behind.find(kClose) == std::string_view::npos && !trimmed(behind).empty() ? 1 : 0;
}

double length_cosine(bool correct, std::uint64_t tokens, std::uint64_t limit) {
  const double at_start = correct ? 1 : -1, at_limit = correct ? 0.5 : -0.5;
  const double progress = static_cast<double>(std::min(tokens, limit)) / static_cast<double>(limit);
  return at_limit + (at_start - at_limit) * (1 + std::cos(std::numbers::pi * progress)) / 2;
}

double repetition_penalty(std::string_view response, std::size_t n) {
  const std::vector<std::string_view> words = words_of(response);
  if (words.size() < n) return 0;
  std::set<std::vector<std::string_view>> seen;
  const std::size_t all = words.size() - n + 1;
  for (std::size_t i = 0; i < all; ++i) {
    const auto first = words.begin() + static_cast<std::ptrdiff_t>(i);
    seen.emplace(first, first + static_cast<std::ptrdiff_t>(n));
  }
  return static_cast<double>(seen.size()) / static_cast<double>(all) - 1;
}

}  // namespace allot
