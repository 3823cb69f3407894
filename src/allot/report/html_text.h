// Text made safe for HTML content and double-quoted attributes.
#pragma once

#include <string>
#include <string_view>

namespace allot {

// & < > " ' become entities. Control characters other than tab and line feed, and bytes that are
// no UTF-8, become U+FFFD.
std::string html_escaped(std::string_view text);

// At most `limit` bytes, cut between two characters, with "…" where something was cut.
std::string clipped_text(std::string_view text, std::size_t limit);

}  // namespace allot
