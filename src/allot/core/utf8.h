// Where characters end in UTF-8 (RFC 3629: no overlong forms, no surrogates, at most U+10FFFF).
#pragma once

#include <cstddef>
#include <string_view>

namespace allot {

// Bytes of the well-formed character at the front of `text`; 0 if there is none.
std::size_t utf8_length(std::string_view text);

// Byte offset of the first byte that is not part of well-formed UTF-8; text.size() if all is well.
std::size_t valid_utf8_prefix(std::string_view text);

// Code point of the well-formed character at the front of `text`.
char32_t utf8_code_point(std::string_view text);

}  // namespace allot
