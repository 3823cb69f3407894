// The lexical part of reading an answer: one spelling for what is written in several ways, without
// any evaluation. Source: verifier specification, sections 3.1 and 4.
#pragma once

#include <string>
#include <string_view>

namespace allot::verify {

// A whole response before an answer is looked for: invalid UTF-8 becomes U+FFFD; zero bytes and
// invisible or bidirectional controls go away; `\f`, `\b`, `\v`, `\t`, `\r` that an escape turned
// into one control character become commands again where the letters after it complete one.
// Returns `text` itself (a view of it) if nothing had to change; else a view of `storage`.
std::string_view repaired(std::string_view text, std::string& storage);

// An answer: Unicode signs, digits, powers and fractions as ASCII or LaTeX commands; doubled
// backslashes before letters become one where the text was escaped twice. Letters of other
// alphabets stay as they are.
std::string in_latex(std::string_view answer);

// Reads one code point at text[at] and moves `at` behind it; U+FFFD for an invalid byte.
char32_t next_code_point(std::string_view text, std::size_t& at);

bool is_letter(char c);
bool is_digit(char c);
bool is_space(char c);
std::string_view strip(std::string_view text);  // without white space at both ends
std::string lower(std::string_view text);       // ASCII letters only

}  // namespace allot::verify
