#include "allot/tasks/leakage.h"

#include <unordered_set>

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

}  // namespace allot
