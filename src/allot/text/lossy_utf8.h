// Bytes of a model's output as valid UTF-8. What is malformed becomes U+FFFD, one for every maximal
// part of a character (Unicode standard, section 3.9), as Rust's from_utf8_lossy and Python's
// errors="replace" have it.
#pragma once

#include <string>
#include <string_view>

namespace allot {

// Appends to `out` everything in `bytes` that is decided, and returns how many bytes that were. The
// rest, at most three bytes, is the beginning of a character that more bytes may complete.
std::size_t append_complete_utf8(std::string_view bytes, std::string& out);

// All of `bytes`; a character that is cut off at the end is malformed too.
std::string lossy_utf8(std::string_view bytes);

inline constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

}  // namespace allot
