#include "allot/text/added_tokens.h"

#include <algorithm>

#include <utf8proc.h>

#include "allot/core/utf8.h"

namespace allot {
namespace {

// White_Space of Unicode.
bool is_space(char32_t c) {
  return (c >= 9 && c <= 13) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

// Alphabetic, marks, decimal digits, connecting punctuation and joiners (Unicode technical standard
// 18, annex C). Alphabetic are, beside letters and numerals, the circled ones.
bool is_word_character(char32_t c) {
  if (c == 0x200C || c == 0x200D || (c >= 0x24B6 && c <= 0x24E9) ||
      (c >= 0x1F130 && c <= 0x1F149) || (c >= 0x1F150 && c <= 0x1F169) ||
      (c >= 0x1F170 && c <= 0x1F189))
    return true;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
      return true;
    default:
      return false;
  }
}

// Where the character before `at` begins.
std::size_t before(std::string_view text, std::size_t at) { return character_begin(text, at - 1); }

bool ends_with_word(std::string_view text) {
  return !text.empty() &&
         is_word_character(utf8_code_point(text.substr(before(text, text.size()))));
}

bool starts_with_word(std::string_view text) {
  return !text.empty() && is_word_character(utf8_code_point(text));
}

// Begin of the white space that ends `text`.
std::size_t space_at_end(std::string_view text) {
  std::size_t begin = text.size();
  while (begin > 0) {
    const std::size_t previous = before(text, begin);
    if (!is_space(utf8_code_point(text.substr(previous)))) break;
    begin = previous;
  }
  return begin;
}

// Length of the white space that starts `text`.
std::size_t space_at_start(std::string_view text) {
  std::size_t length = 0;
  while (length < text.size() && is_space(utf8_code_point(text.substr(length))))
    length += utf8_length(text.substr(length));
  return length;
}

}  // namespace

AddedTokens::AddedTokens(std::vector<AddedToken> tokens)
    : tokens_(std::move(tokens)), by_first_(256) {
  for (std::size_t i = 0; i < tokens_.size(); ++i)
    by_first_[static_cast<unsigned char>(tokens_[i].content[0])].push_back(i);
  for (std::vector<std::size_t>& places : by_first_)
    std::sort(places.begin(), places.end(), [&](std::size_t a, std::size_t b) {
      return tokens_[a].content.size() > tokens_[b].content.size();
    });
}

const AddedToken* AddedTokens::at_front(std::string_view text) const {
  for (const std::size_t place : by_first_[static_cast<unsigned char>(text[0])])
    if (text.starts_with(tokens_[place].content)) return &tokens_[place];
  return nullptr;
}

template <class Accepts>
std::vector<Segment> AddedTokens::split_if(std::string_view text, const Accepts& accepts) const {
  std::vector<Segment> segments;
  std::size_t done = 0;
  const auto ordinary = [&](std::size_t end) {
    if (end > done) segments.push_back({text.substr(done, end - done), -1});
  };
  for (std::size_t at = 0; !tokens_.empty() && at < text.size();) {
    const AddedToken* token = at_front(text.substr(at));
    if (token == nullptr) {
      ++at;
      continue;
    }
    std::size_t begin = at, end = at + token->content.size();
    at = end;  // what is found but not accepted is passed over
    if (!accepts(*token)) continue;
    if (token->single_word &&
        (ends_with_word(text.substr(0, begin)) || starts_with_word(text.substr(end))))
      continue;
    if (token->lstrip) begin = std::max(done, space_at_end(text.substr(0, begin)));
    if (token->rstrip) end += space_at_start(text.substr(end));
    ordinary(begin);
    segments.push_back({text.substr(begin, end - begin), token->id});
    done = end;
  }
  ordinary(text.size());
  return segments;
}

std::vector<Segment> AddedTokens::split(std::string_view text) const {
  return split_if(text, [](const AddedToken&) { return true; });
}

std::vector<Segment> AddedTokens::split_beside_special(std::string_view text) const {
  return split_if(text, [](const AddedToken& token) { return !token.special; });
}

}  // namespace allot
