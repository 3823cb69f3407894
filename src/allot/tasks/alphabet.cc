#include "allot/tasks/alphabet.h"

#include <algorithm>

#include "allot/core/utf8.h"

namespace allot {

void AlphabetCollector::add(std::string_view text) {
  while (!text.empty()) {
    const std::string_view character = text.substr(0, std::max<std::size_t>(1, utf8_length(text)));
    if (kAlphabet.find(character) == std::string_view::npos && !further_.contains(character))
      further_.emplace(character);
    text.remove_prefix(character.size());
  }
}

void AlphabetCollector::add(const Prompt& prompt) {
  add(prompt.text);
  add(prompt.answer);
  add(prompt.demonstration);
}

std::string AlphabetCollector::alphabet() const {
  std::string all(kAlphabet);
  for (const std::string& character : further_) all += character;
  return all;
}

std::string alphabet_of(std::span<const Prompt> prompts) {
  AlphabetCollector collector;
  for (const Prompt& prompt : prompts) collector.add(prompt);
  return collector.alphabet();
}

}  // namespace allot
