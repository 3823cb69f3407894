#include "allot/tasks/math/numeral.h"

#include "allot/tasks/math/normalise.h"
#include "allot/tasks/math/work.h"

namespace allot::verify {
namespace {

std::size_t digits_at(std::string_view text, std::size_t at) {
  std::size_t end = at;
  while (end < text.size() && is_digit(text[end])) ++end;
  return end - at;
}

// Length of a thousands separator at text[at] that three digits follow, or 0.
std::size_t separator(std::string_view text, std::size_t at, bool in_brackets) {
  constexpr std::string_view kAnywhere[] = {"{,}", ",\\!", "\\,", "\\ ", "\\!", "'", "_", " "};
  const std::string_view rest = text.substr(at);
  const auto three = [&](std::size_t length) { return digits_at(text, at + length) == 3; };
  for (const std::string_view mark : kAnywhere)
    if (rest.starts_with(mark) && three(mark.size())) return mark.size();
  if (!in_brackets && rest.starts_with(",") && three(1)) return 1;
  return 0;
}

void whole_part(std::string_view text, bool in_brackets, Numeral& numeral) {
  const std::size_t first = digits_at(text, 0);
  numeral.digits = text.substr(0, first);
  numeral.length = first;
  if (first == 0 || first > 3 || text[0] == '0') return;
  std::string grouped = numeral.digits;
  std::size_t at = first;
  while (const std::size_t length = separator(text, at, in_brackets)) {
    grouped += text.substr(at + length, 3);
    at += length + 3;
  }
  if (at == first) return;
  // A group of another length behind: not thousands but a list, as in 100,200,3000.
  if (at + 1 < text.size() && text[at] == ',' && is_digit(text[at + 1])) return;
  numeral.digits = grouped;
  numeral.length = at;
  numeral.grouped = true;
}

void repeating_part(std::string_view text, Numeral& numeral) {
  constexpr std::string_view kMarks[] = {"\\overline{", "\\bar{", "\\dot{"};
  for (const std::string_view mark : kMarks) {
    if (!text.substr(numeral.length).starts_with(mark)) continue;
    const std::size_t begin = numeral.length + mark.size();
    const std::size_t count = digits_at(text, begin);
    if (count == 0 || begin + count >= text.size() || text[begin + count] != '}') return;
    numeral.digits += text.substr(begin, count);
    numeral.repeat = count;
    numeral.length = begin + count + 1;
    return;
  }
}

// 1.5e3, 2E-7: the exponent moves the point.
void exponent_part(std::string_view text, Numeral& numeral) {
  std::size_t at = numeral.length;
  if (at >= text.size() || (text[at] != 'e' && text[at] != 'E')) return;
  ++at;
  const bool negative = at < text.size() && text[at] == '-';
  if (at < text.size() && (text[at] == '-' || text[at] == '+')) ++at;
  const std::size_t count = digits_at(text, at);
  if (count == 0 || (at + count < text.size() && is_letter(text[at + count]))) return;
  std::size_t exponent = 0;
  for (std::size_t i = at; i < at + count; ++i)
    if (exponent <= kNumeralDigits)
      exponent = exponent * 10 + static_cast<std::size_t>(text[i] - '0');
  if (exponent > kNumeralDigits) throw LimitReached{};
  std::string whole = numeral.digits.substr(0, numeral.digits.find('.'));
  std::string part;
  if (whole.size() < numeral.digits.size()) part = numeral.digits.substr(whole.size() + 1);
  if (negative) {
    whole.insert(0, exponent + 1, '0');
    part.insert(0, whole.substr(whole.size() - exponent));
    whole.resize(whole.size() - exponent);
  } else {
    part.append(part.size() < exponent ? exponent - part.size() : 0, '0');
    whole += part.substr(0, exponent);
    part.erase(0, exponent);
  }
  numeral.digits = part.empty() ? whole : whole + "." + part;
  numeral.length = at + count;
}

}  // namespace

Numeral read_numeral(std::string_view text, bool in_brackets) {
  Numeral numeral;
  whole_part(text, in_brackets, numeral);
  std::size_t& at = numeral.length;
  const bool point = at < text.size() && text[at] == '.';
  const bool repeats = point && text.substr(at + 1).starts_with("\\");
  if (point && (repeats || digits_at(text, at + 1) > 0)) {
    const std::size_t count = digits_at(text, at + 1);
    const Numeral before = numeral;
    numeral.digits += text.substr(at, count + 1);
    at += count + 1;
    repeating_part(text, numeral);
    if (count == 0 && numeral.repeat == 0) numeral = before;
  }
  if (numeral.repeat == 0) exponent_part(text, numeral);
  if (numeral.digits.size() > kNumeralDigits + 1) throw LimitReached{};
  return numeral;
}

}  // namespace allot::verify
