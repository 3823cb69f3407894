#include "allot/tasks/alphabet.h"

#include <algorithm>
#include <functional>
#include <set>

namespace allot {
namespace {

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// Bytes of the well-formed sequence at the front of `text`, 0 if there is none. The limits of the
// second byte are those of table 3-7 of the Unicode standard.
std::size_t sequence_length(std::string_view text) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
  };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  std::size_t length = 0;
  unsigned low = 0x80, high = 0xBF;
  if (first >= 0xC2 && first <= 0xDF) {
    length = 2;
  } else if (first >= 0xE0 && first <= 0xEF) {
    length = 3;
    if (first == 0xE0) low = 0xA0;
    if (first == 0xED) high = 0x9F;
  } else if (first >= 0xF0 && first <= 0xF4) {
    length = 4;
    if (first == 0xF0) low = 0x90;
    if (first == 0xF4) high = 0x8F;
  }
  if (length == 0 || length > text.size() || byte(1) < low || byte(1) > high) return 0;
  for (std::size_t i = 2; i < length; ++i)
    if (!is_continuation(text[i])) return 0;
  return length;
}

}  // namespace

std::size_t valid_utf8_prefix(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t length = sequence_length(text.substr(at));
    if (length == 0) break;
    at += length;
  }
  return at;
}

std::size_t character_count(std::string_view text) {
  std::size_t count = 0;
  for (const char c : text) count += !is_continuation(c);
  return count;
}

std::string alphabet_of(std::span<const Prompt> prompts) {
  // Byte order of UTF-8 is code point order, so a set of sequences is ascending.
  std::set<std::string, std::less<>> further;
  const auto collect = [&](std::string_view text) {
    while (!text.empty()) {
      const std::string_view character =
          text.substr(0, std::max<std::size_t>(1, sequence_length(text)));
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
