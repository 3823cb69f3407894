// Answers that need no parser: plain numbers and letters of choices. Source: verifier
// specification, section 6, K13 and K15.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace allot::verify {

// A number in one spelling: no leading zeros, no trailing zeros behind the point, no separators.
struct PlainNumber {
  bool negative = false;
  std::string digits;  // "12" or "12.5"
  int decimals = 0;    // as written, with trailing zeros
  friend bool operator==(const PlainNumber& a, const PlainNumber& b) {
    return a.negative == b.negative && a.digits == b.digits;
  }
};

// The whole text must be one decimal number: a sign, digits (or thousands with commas), a point and
// digits. nullopt says only that the text is not that simple.
std::optional<PlainNumber> plain_number(std::string_view text);
bool is_whole_number(std::string_view text);

enum class ChoiceSide { Gold, Given };
// The letter 'A' .. 'J' of an answer such as "B", "(B)", "\text{(B)}", "B. text"; 0 if it is none.
// A gold's letter is a capital one.
char choice_of(std::string_view text, ChoiceSide side);

// Equal without wrappers, in the same letters' case: "odd" and "\text{odd}".
bool same_words(std::string_view a, std::string_view b);

}  // namespace allot::verify
