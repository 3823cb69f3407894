// An answer cut into tokens. Spelling differs, tokens do not: `\dfrac` and `\tfrac` are one token,
// sizes, thin spaces and math delimiters are none. Source: verifier specification, sections 4, 6.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "allot/tasks/math/work.h"

namespace allot::verify {

enum class TokenKind : std::uint8_t {
  Number,    // text: digits with at most one point; repeat: so many last digits repeat for ever
  Symbol,    // a letter, a Greek name, a letter of another script
  Word,      // two or more plain letters that are no known name: a unit, a product, a word
  Text,      // what a text wrapper holds
  Function,  // sin, log, gcd, ...
  Plus,
  Minus,
  Times,
  Slash,
  Caret,
  Under,
  Bang,
  Prime,
  Open,
  Close,  // text: ( [ { } ] ), "set{" "set}", "<" ">" (angle), "floor", "ceil"
  Bar,
  Comma,
  Semicolon,
  Colon,
  Relation,  // = < > <= >= != ~= (about) : (such that)
  And,
  Or,
  PlusMinus,
  MinusPlus,
  Percent,
  Degree,
  Currency,
  Fraction,
  Root,
  CubeRoot,
  Binomial,
  Accent,
  Infinity,
  Reals,
  EmptySet,
  Cup,
  Cap,
  SetMinus,
  In,
  Begin,
  End,  // text: the environment
  Ampersand,
  Row,
  Dots,
  Big,  // sum, prod, int, lim
};

struct Token {
  TokenKind kind;
  bool space_before = false;
  bool wrapped = false;      // stood in a text wrapper
  std::uint16_t repeat = 0;  // Number only
  bool grouped = false;      // Number with thousands separators
  std::string text;
};

// Throws Unreadable for an unknown command or sign, LimitReached beyond kTokens or kNumeralDigits.
// `answer` has been through in_latex().
std::vector<Token> tokenize(std::string_view answer, Work& work);

// The tokens' texts without spaces: equal for answers that are written alike.
std::string spelling(const std::vector<Token>& tokens);

bool is_function_name(std::string_view name);
// Short words that are words, not products of letters: yes, no, odd, ...
bool is_common_word(std::string_view word);

}  // namespace allot::verify
