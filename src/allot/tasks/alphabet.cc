#include "allot/tasks/alphabet.h"

#include <algorithm>
#include <functional>
#include <set>

#include "allot/core/utf8.h"

namespace allot {
std::size_t character_count(std::string_view text) {
  std::size_t count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return count;
}

std::string alphabet_of(std::span<const Prompt> prompts) {
  // Byte order of UTF-8 is code point order, so a set of sequences is ascending.
  std::set<std::string, std::less<>> further;
  const auto collect = [&](std::string_view text) {
    while (!text.empty()) {
      const std::string_view character =
          text.substr(0, std::max<std::size_t>(1, utf8_length(text)));
      if (kAlphabet.find(character) == std::string_view::npos && !further.contains(character))
        further.emplace(character);
      text.remove_prefix(character.size());
    }
  };
  for (const Prompt& prompt : prompts) {
    collect(prompt.text);
    collect(prompt.answer);
    collect(prompt.demonstration);
  }
  std::string all(kAlphabet);
  for (const std::string& character : further) all += character;
  return all;
}

}  // namespace allot
