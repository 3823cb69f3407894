#include "allot/report/html_text.h"

#include <cstdint>

#include "allot/core/utf8.h"

namespace allot {
namespace {

constexpr const char* kReplacement = "\xEF\xBF\xBD";

}  // namespace

std::string html_escaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = utf8_length(text.substr(i));
    const char c = text[i];
    if (length > 1) {
      out.append(text.substr(i, length));
    } else if (length == 0 || c == 0x7F ||
               (static_cast<std::uint8_t>(c) < 0x20 && c != '\n' && c != '\t')) {
      out += kReplacement;
    } else if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '"') {
      out += "&quot;";
    } else if (c == '\'') {
      out += "&#39;";
    } else {
      out += c;
    }
    i += length ? length : 1;
  }
  return out;
}

std::string clipped_text(std::string_view text, std::size_t limit) {
  if (text.size() <= limit) return std::string(text);
  return std::string(text.substr(0, character_begin(text, limit))) + "…";
}

}  // namespace allot
