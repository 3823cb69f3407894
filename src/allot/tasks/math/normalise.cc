#include "allot/tasks/math/normalise.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "allot/core/utf8.h"

namespace allot::verify {
namespace {

bool is_invisible(char32_t c) {
  return c == 0 || c == 0xAD || c == 0xFEFF || (c >= 0x200B && c <= 0x200F) ||
         (c >= 0x202A && c <= 0x202E) || (c >= 0x2060 && c <= 0x2069) || c == 0x061C;
}

// Letters after a lost escape that complete a command: "\f" + "rac".
struct LostEscape {
  char control;
  char letter;
  std::array<std::string_view, 12> rests;
};
constexpr LostEscape kLostEscapes[] = {
    {'\f', 'f', {"rac", "box", "loor", "orall"}},
    {'\b', 'b', {"oxed", "egin", "inom", "eta", "ar", "ig", "f", "mod", "oldsymbol", "ullet"}},
    {'\v', 'v', {"ec", "arphi", "arepsilon", "arnothing", "ert", "matrix", "artheta"}},
    {'\t', 't', {"ext", "frac", "imes", "heta", "an", "au", "o", "ilde", "herefore", "riangle"}},
    {'\r', 'r', {"ight", "angle", "floor", "ceil", "ho", "m"}},
};

bool starts_word(std::string_view text, std::string_view word) {
  return text.starts_with(word) && (text.size() == word.size() || !is_letter(text[word.size()]));
}

// The letter of the lost escape at text[at], or 0.
char lost_escape(std::string_view text, std::size_t at) {
  const std::string_view after = text.substr(at + 1);
  for (const LostEscape& lost : kLostEscapes) {
    if (lost.control != text[at]) continue;
    for (const std::string_view rest : lost.rests)
      if (!rest.empty() && starts_word(after, rest)) return lost.letter;
  }
  return 0;
}

bool needs_repair(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const unsigned char c = static_cast<unsigned char>(text[at]);
    if (c >= 0x20 && c < 0x80) {
      ++at;
      continue;
    }
    if (c < 0x20) {
      if (c == 0 || lost_escape(text, at) != 0) return true;
      ++at;
      continue;
    }
    const std::size_t begin = at;
    const char32_t point = next_code_point(text, at);
    if (is_invisible(point) || (point == 0xFFFD && at == begin + 1)) return true;
  }
  return false;
}

struct Sign {
  char32_t point;
  std::string_view text;
};

// Sorted by code point.
constexpr Sign kSigns[] = {
    {0x00A0, " "},
    {0x00A2, "\\cents "},
    {0x00A3, "\\pounds "},
    {0x00A5, "\\yen "},
    {0x00B0, "^\\circ "},
    {0x00B1, "\\pm "},
    {0x00B7, "\\cdot "},
    {0x00BC, "\\frac{1}{4}"},
    {0x00BD, "\\frac{1}{2}"},
    {0x00BE, "\\frac{3}{4}"},
    {0x00D7, "\\times "},
    {0x00F7, "\\div "},
    {0x0393, "\\Gamma "},
    {0x0394, "\\Delta "},
    {0x0398, "\\Theta "},
    {0x039B, "\\Lambda "},
    {0x03A0, "\\Pi "},
    {0x03A3, "\\Sigma "},
    {0x03A6, "\\Phi "},
    {0x03A8, "\\Psi "},
    {0x03A9, "\\Omega "},
    {0x03B1, "\\alpha "},
    {0x03B2, "\\beta "},
    {0x03B3, "\\gamma "},
    {0x03B4, "\\delta "},
    {0x03B5, "\\epsilon "},
    {0x03B6, "\\zeta "},
    {0x03B7, "\\eta "},
    {0x03B8, "\\theta "},
    {0x03BA, "\\kappa "},
    {0x03BB, "\\lambda "},
    {0x03BC, "\\mu "},
    {0x03BD, "\\nu "},
    {0x03BE, "\\xi "},
    {0x03C0, "\\pi "},
    {0x03C1, "\\rho "},
    {0x03C3, "\\sigma "},
    {0x03C4, "\\tau "},
    {0x03C6, "\\phi "},
    {0x03C7, "\\chi "},
    {0x03C8, "\\psi "},
    {0x03C9, "\\omega "},
    {0x2010, "-"},
    {0x2011, "-"},
    {0x2012, "-"},
    {0x2013, "-"},
    {0x2014, "-"},
    {0x2015, "-"},
    {0x2018, "'"},
    {0x2019, "'"},
    {0x201C, "\""},
    {0x201D, "\""},
    {0x2022, "\\cdot "},
    {0x2026, "\\ldots "},
    {0x2032, "'"},
    {0x2044, "/"},
    {0x20AC, "\\euro "},
    {0x20B9, "\\rupee "},
    {0x2103, "^\\circ C"},
    {0x2109, "^\\circ F"},
    {0x211D, "\\mathbb{R}"},
    {0x2150, "\\frac{1}{7}"},
    {0x2151, "\\frac{1}{9}"},
    {0x2152, "\\frac{1}{10}"},
    {0x2153, "\\frac{1}{3}"},
    {0x2154, "\\frac{2}{3}"},
    {0x2155, "\\frac{1}{5}"},
    {0x2156, "\\frac{2}{5}"},
    {0x2157, "\\frac{3}{5}"},
    {0x2158, "\\frac{4}{5}"},
    {0x2159, "\\frac{1}{6}"},
    {0x215A, "\\frac{5}{6}"},
    {0x215B, "\\frac{1}{8}"},
    {0x215C, "\\frac{3}{8}"},
    {0x215D, "\\frac{5}{8}"},
    {0x215E, "\\frac{7}{8}"},
    {0x2205, "\\emptyset "},
    {0x2208, "\\in "},
    {0x2212, "-"},
    {0x2213, "\\mp "},
    {0x2215, "/"},
    {0x2216, "\\setminus "},
    {0x221A, "\\sqrt "},
    {0x221B, "\\cbrt "},
    {0x221E, "\\infty "},
    {0x2229, "\\cap "},
    {0x222A, "\\cup "},
    {0x2248, "\\approx "},
    {0x2260, "\\neq "},
    {0x2264, "\\leq "},
    {0x2265, "\\geq "},
    {0x22C5, "\\cdot "},
    {0x2308, "\\lceil "},
    {0x2309, "\\rceil "},
    {0x230A, "\\lfloor "},
    {0x230B, "\\rfloor "},
    {0x27E8, "\\langle "},
    {0x27E9, "\\rangle "},
    {0x2A7D, "\\leq "},
    {0x2A7E, "\\geq "},
    {0x3001, ","},
    {0x3002, "."},
};

// First code points of Unicode's rows of ten decimal digits.
constexpr char32_t kDigitRows[] = {0x0660, 0x06F0,  0x07C0,  0x0966,  0x09E6,  0x0A66,
                                   0x0AE6, 0x0B66,  0x0BE6,  0x0C66,  0x0CE6,  0x0D66,
                                   0x0E50, 0x0ED0,  0x0F20,  0x1040,  0x17E0,  0x1810,
                                   0xFF10, 0x1D7CE, 0x1D7D8, 0x1D7E2, 0x1D7EC, 0x1D7F6};

char decimal_digit(char32_t c) {
  for (const char32_t row : kDigitRows)
    if (c >= row && c < row + 10) return static_cast<char>('0' + (c - row));
  return 0;
}

// What a raised or lowered sign stands for, or 0.
char raised(char32_t c) {
  if (c == 0xB9) return '1';
  if (c == 0xB2) return '2';
  if (c == 0xB3) return '3';
  if (c == 0x2070 || (c >= 0x2074 && c <= 0x2079)) return static_cast<char>('0' + (c - 0x2070));
  if (c == 0x207B) return '-';
  if (c == 0x207F) return 'n';
  return 0;
}
char lowered(char32_t c) {
  return c >= 0x2080 && c <= 0x2089 ? static_cast<char>('0' + (c - 0x2080)) : '\0';
}

void append_point(std::string& out, char32_t c) {
  if (const char digit = decimal_digit(c)) {
    out += digit;
    return;
  }
  if (c >= 0xFF01 && c <= 0xFF5E) {
    out += static_cast<char>(c - 0xFF01 + 0x21);
    return;
  }
  if ((c >= 0x2000 && c <= 0x200A) || c == 0x202F || c == 0x205F || c == 0x3000) {
    out += ' ';
    return;
  }
  const auto* found = std::lower_bound(std::begin(kSigns), std::end(kSigns), c,
                                       [](const Sign& sign, char32_t p) { return sign.point < p; });
  if (found != std::end(kSigns) && found->point == c)
    out += found->text;
  else
    append_utf8(out, c);
}

// True if backslashes before letters are always doubled: the text was escaped twice.
bool escaped_twice(std::string_view text) {
  bool seen = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') continue;
    std::size_t end = i;
    while (end < text.size() && text[end] == '\\') ++end;
    const bool before_letter = end < text.size() && is_letter(text[end]);
    if ((end - i) % 2 != 0) return false;
    seen |= before_letter;
    i = end;
  }
  return seen;
}

std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    out += text[i];
    if (text[i] == '\\' && i + 1 < text.size() && text[i + 1] == '\\') ++i;
  }
  return out;
}

}  // namespace

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_space(char c) {
  return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

std::string_view strip(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

char32_t next_code_point(std::string_view text, std::size_t& at) {
  const std::string_view rest = text.substr(at);
  const std::size_t length = utf8_length(rest);
  at += length == 0 ? 1 : length;
  return length == 0 ? 0xFFFD : utf8_code_point(rest);
}

std::string_view repaired(std::string_view text, std::string& storage) {
  if (!needs_repair(text)) return text;
  storage.clear();
  storage.reserve(text.size() + 16);
  for (std::size_t at = 0; at < text.size();) {
    if (const char letter = lost_escape(text, at)) {
      // A backslash in front of the damage is the rest of a doubled one.
      if (storage.empty() || storage.back() != '\\') storage += '\\';
      storage += letter;
      ++at;
      continue;
    }
    const char32_t point = next_code_point(text, at);
    if (!is_invisible(point)) append_utf8(storage, point);
  }
  return storage;
}

std::string in_latex(std::string_view answer) {
  std::string out;
  out.reserve(answer.size() + 8);
  char open = 0;  // '^' or '_' while a run of raised or lowered signs is read
  for (std::size_t at = 0; at < answer.size();) {
    const char c = answer[at];
    char32_t point = 0;
    if (static_cast<unsigned char>(c) < 0x80)
      point = static_cast<unsigned char>(answer[at++]);
    else
      point = next_code_point(answer, at);
    const char up = raised(point), down = lowered(point);
    const char now = up != 0 ? '^' : down != 0 ? '_' : '\0';
    if (open != now) {
      if (open != 0) out += '}';
      if (now != 0) (out += now) += '{';
      open = now;
    }
    if (now != 0)
      out += up != 0 ? up : down;
    else if (point < 0x80)
      out += static_cast<char>(point);
    else if (!is_invisible(point))
      append_point(out, point);
  }
  if (open != 0) out += '}';
  return escaped_twice(out) ? unescaped(out) : out;
}

}  // namespace allot::verify
