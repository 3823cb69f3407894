#include "allot/core/utf8.h"

#include <algorithm>

namespace allot {

// The limits of the second byte are those of table 3-7 of the Unicode standard.
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
  };
  if (text.empty()) return 0;
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
    if (begins_character(text[i])) return 0;
  return length;
}

std::size_t valid_utf8_prefix(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t length = utf8_length(text.substr(at));
    if (length == 0) break;
    at += length;
  }
  return at;
}

char32_t utf8_code_point(std::string_view text) {
  const auto bits = [&](std::size_t i) { return static_cast<unsigned char>(text[i]) & 0x3Fu; };
  const auto first = static_cast<unsigned char>(text[0]);
  if (first < 0x80) return first;
  if (first < 0xE0) return (first & 0x1Fu) << 6 | bits(1);
  if (first < 0xF0) return (first & 0x0Fu) << 12 | bits(1) << 6 | bits(2);
  return (first & 0x07u) << 18 | bits(1) << 12 | bits(2) << 6 | bits(3);
}

void append_utf8(std::string& out, char32_t point) {
  const auto rest = [&](int shift) { out += static_cast<char>(0x80 | (point >> shift & 0x3F)); };
  if (point < 0x80) {
    out += static_cast<char>(point);
  } else if (point < 0x800) {
    out += static_cast<char>(0xC0 | point >> 6);
    rest(0);
  } else if (point < 0x10000) {
    out += static_cast<char>(0xE0 | point >> 12);
    rest(6), rest(0);
  } else {
    out += static_cast<char>(0xF0 | point >> 18);
    rest(12), rest(6), rest(0);
  }
}

std::size_t character_count(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), begins_character));
}

std::size_t character_begin(std::string_view text, std::size_t at) {
  while (at > 0 && !begins_character(text[at])) --at;
  return at;
}

std::string shortened(std::string_view text, std::size_t most) {
  const bool cut = text.size() > most;
  std::string out(cut ? text.substr(0, character_begin(text, most)) : text);
  for (char& c : out)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  return cut ? out + "..." : out;
}

}  // namespace allot
