#include "allot/text/lossy_utf8.h"

#include <algorithm>

#include "allot/core/utf8.h"

namespace allot {
namespace {

// Whether some bytes after `part` would make it a character. A second byte is the only one with
// limits of its own, and these always leave the smallest or the largest continuation byte.
bool is_beginning(std::string_view part) {
  for (const char next : {'\x80', '\xBF'}) {
    std::string whole(part);
    whole.append(4 - part.size(), next);
    if (utf8_length(whole) > part.size()) return true;
  }
  return false;
}

// Bytes of the longest beginning of a character at the front of malformed `text`; at least 1.
std::size_t malformed_length(std::string_view text) {
  std::size_t length = 1;
  while (length < std::min<std::size_t>(3, text.size()) && is_beginning(text.substr(0, length + 1)))
    ++length;
  return length;
}

}  // namespace

std::size_t append_complete_utf8(std::string_view bytes, std::string& out) {
  std::size_t at = 0;
  for (;;) {
    const std::size_t valid = valid_utf8_prefix(bytes.substr(at));
    out += bytes.substr(at, valid);
    at += valid;
    const std::string_view rest = bytes.substr(at);
    if (rest.empty() || (rest.size() <= 3 && is_beginning(rest))) return at;
    out += kReplacement;
    at += malformed_length(rest);
  }
}

std::string lossy_utf8(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  if (append_complete_utf8(bytes, out) < bytes.size()) out += kReplacement;
  return out;
}

}  // namespace allot
