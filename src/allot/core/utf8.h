// Where characters end in UTF-8 (RFC 3629: no overlong forms, no surrogates, at most U+10FFFF).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace allot {

// Bytes of the well-formed character at the front of `text`; 0 if there is none.
std::size_t utf8_length(std::string_view text);

// Byte offset of the first byte that is not part of well-formed UTF-8; text.size() if all is well.
std::size_t valid_utf8_prefix(std::string_view text);

// Code point of the well-formed character at the front of `text`.
char32_t utf8_code_point(std::string_view text);

// Appends the UTF-8 of a code point.
void append_utf8(std::string& out, char32_t point);

// What follows holds for any bytes: one that does not continue a character begins one.

constexpr bool begins_character(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0) != 0x80;
}

// Number of characters that begin in `text`.
std::size_t character_count(std::string_view text);

// Offset of the last byte at or before `at`, which is inside `text`, that begins a character; 0 if
// there is none. What stands before it is cut between two characters.
std::size_t character_begin(std::string_view text, std::size_t at);

// The beginning of `text` for a message: one line of at most `most` bytes and "..." where it is
// cut.
std::string shortened(std::string_view text, std::size_t most = 40);

}  // namespace allot
