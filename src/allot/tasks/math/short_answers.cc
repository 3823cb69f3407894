#include "allot/tasks/math/short_answers.h"

#include <algorithm>

#include "allot/tasks/math/normalise.h"
#include "allot/tasks/math/work.h"

namespace allot::verify {
namespace {

// Takes \text{..}, \textbf{..}, \mathrm{..}, \mathbf{..}, $..$, \(..\) from around a text.
std::string_view bare(std::string_view text) {
  for (;;) {
    const std::size_t before = text.size();
    text = strip(text);
    constexpr std::string_view kWrappers[] = {"\\text{",   "\\textbf{",     "\\mathrm{",
                                              "\\mathbf{", "\\textnormal{", "\\mbox{",
                                              "\\textit{", "\\boxed{"};
    for (const std::string_view wrapper : kWrappers)
      if (text.starts_with(wrapper) && text.ends_with("}") &&
          std::count(text.begin(), text.end(), '{') == 1) {
        text.remove_prefix(wrapper.size());
        text.remove_suffix(1);
      }
    if (text.size() > 2 && text.front() == '$' && text.back() == '$') {
      text.remove_prefix(1);
      text.remove_suffix(1);
    }
    if (text.size() > 4 && text.starts_with("\\(") && text.ends_with("\\)")) {
      text.remove_prefix(2);
      text.remove_suffix(2);
    }
    if (text.size() > 4 && text.starts_with("**") && text.ends_with("**")) {
      text.remove_prefix(2);
      text.remove_suffix(2);
    }
    while (!text.empty() && text.back() == '.') text.remove_suffix(1);
    if (text.size() == before) return text;
  }
}

}  // namespace

std::optional<PlainNumber> plain_number(std::string_view text) {
  PlainNumber number;
  if (text.size() > 300) return std::nullopt;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    number.negative = text[0] == '-';
    text.remove_prefix(1);
  }
  const std::size_t point = std::min(text.find('.'), text.size());
  const std::string_view whole = text.substr(0, point);
  const std::string_view part = point < text.size() ? text.substr(point + 1) : std::string_view{};
  if (!std::all_of(part.begin(), part.end(), is_digit)) return std::nullopt;
  if (point < text.size() && part.empty()) return std::nullopt;
  if (whole.empty() && part.empty()) return std::nullopt;
  if (whole.find(',') == std::string_view::npos) {
    if (!std::all_of(whole.begin(), whole.end(), is_digit)) return std::nullopt;
    number.digits = whole;
  } else {
    const std::size_t first = whole.find(',');
    if (first == 0 || first > 3 || whole[0] == '0' || (whole.size() - first) % 4 != 0)
      return std::nullopt;
    for (std::size_t i = 0; i < whole.size(); ++i) {
      const bool comma = i >= first && (i - first) % 4 == 0;
      if (comma ? whole[i] != ',' : !is_digit(whole[i])) return std::nullopt;
      if (!comma) number.digits += whole[i];
    }
  }
  const std::size_t start = number.digits.find_first_not_of('0');
  number.digits = start == std::string::npos ? "0" : number.digits.substr(start);
  number.decimals = static_cast<int>(part.size());
  const std::size_t last = part.find_last_not_of('0');
  if (last != std::string_view::npos) (number.digits += '.') += part.substr(0, last + 1);
  if (number.digits == "0") number.negative = false;
  return number;
}

bool is_whole_number(std::string_view text) {
  const auto number = plain_number(text);
  return number && number->digits.find('.') == std::string::npos;
}

char choice_of(std::string_view text, ChoiceSide side) {
  if (text.size() > kCandidateBytes) return 0;
  const std::string latex = in_latex(text);
  text = bare(latex);
  if (text.empty()) return 0;
  // "(B) text", "(B)", "B) text", "B. text", "B: text", "B".
  const bool bracket = text[0] == '(';
  if (bracket) text.remove_prefix(1);
  if (text.empty()) return 0;
  char letter = text[0];
  if (side == ChoiceSide::Given && letter >= 'a' && letter <= 'j')
    letter = static_cast<char>(letter - 'a' + 'A');
  if (letter < 'A' || letter > 'J') return 0;
  text.remove_prefix(1);
  if (text.empty()) return bracket ? 0 : letter;
  const char mark = text[0];
  if (bracket) {
    if (mark != ')') return 0;
  } else if (mark != ')' && mark != '.' && mark != ':') {
    return 0;
  }
  text.remove_prefix(1);
  const std::string_view option = strip(text);
  // A lower-case letter with more behind it is rather mathematics or prose.
  if (option.empty()) return letter;
  return is_space(text[0]) || static_cast<unsigned char>(text[0]) >= 0x80 ? letter : 0;
}

bool same_words(std::string_view a, std::string_view b) {
  a = bare(a);
  b = bare(b);
  return a.size() >= 2 && a == b &&
         std::all_of(a.begin(), a.end(), [](char c) { return is_letter(c) || c == ' '; });
}

}  // namespace allot::verify
