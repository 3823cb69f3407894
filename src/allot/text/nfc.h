// Unicode normalization form C (Unicode standard annex 15), with the tables of utf8proc.
#pragma once

#include <string>
#include <string_view>

namespace allot {

// Of valid UTF-8. Time grows as n log n also for text made of combining marks alone.
std::string nfc(std::string_view text);

// True if every character is below U+0300, where everything is in form C already.
bool is_nfc_by_range(std::string_view text);

}  // namespace allot
