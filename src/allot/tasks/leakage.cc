#include "allot/tasks/leakage.h"

#include <algorithm>
#include <cstdint>
#include <unordered_set>

#include "allot/core/prompt_id.h"

namespace allot {

std::string normalized_question(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool number = i + 1 < text.size() && text[i + 1] >= '0' && text[i + 1] <= '9';
    if (std::string_view(" \t\r\n\v\f${}").find(c) != std::string_view::npos) continue;
    if (!number && std::string_view(".,;:!?").find(c) != std::string_view::npos) continue;
    out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return out;
}

std::vector<std::size_t> leaked(std::span<const Prompt> train, std::span<const Prompt> held_out) {
  std::unordered_set<std::string> questions;
  for (const Prompt& prompt : train) questions.insert(normalized_question(prompt.text));
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < held_out.size(); ++i)
    if (questions.contains(normalized_question(held_out[i].text))) places.push_back(i);
  return places;
}

std::size_t leak_count(const PromptList& train, const PromptList& held_out) {
  const auto hash = [](const Prompt& prompt) {
    return hash_bytes(normalized_question(prompt.text));
  };
  std::vector<std::uint64_t> questions;
  questions.reserve(train.size());
  train.each([&](const Prompt& prompt) { questions.push_back(hash(prompt)); });
  std::sort(questions.begin(), questions.end());
  std::size_t count = 0;
  held_out.each([&](const Prompt& prompt) {
    count += std::binary_search(questions.begin(), questions.end(), hash(prompt));
  });
  return count;
}

}  // namespace allot
