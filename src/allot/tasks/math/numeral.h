// One numeral as it stands in text: thousands, decimals, repeating decimals. Source: verifier
// specification, section 6, K12 and K13.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace allot::verify {

struct Numeral {
  std::size_t length = 0;  // bytes of text that it takes
  std::string digits;      // without separators, at most one point; "1e5" is written out
  std::size_t repeat = 0;  // so many digits at the end repeat for ever
  bool grouped = false;    // had thousands separators
};

// Reads the numeral that `text` begins with (a digit, or a point and a digit). Inside brackets a
// comma separates and never groups; `{,}`, `\,`, `\!`, spaces, ' and _ group everywhere. Throws
// LimitReached for more than kNumeralDigits digits.
Numeral read_numeral(std::string_view text, bool in_brackets);

}  // namespace allot::verify
