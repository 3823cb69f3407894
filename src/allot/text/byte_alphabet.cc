#include "allot/text/byte_alphabet.h"

#include <array>

#include "allot/core/utf8.h"

namespace allot {
namespace {

constexpr char32_t kEnd = 0x144;  // one past the last character in use

struct Alphabet {
  std::array<char32_t, 256> character{};
  std::array<int, kEnd> byte{};  // -1: no byte

  Alphabet() {
    byte.fill(-1);
    char32_t further = 0x100;
    for (unsigned b = 0; b < 256; ++b) {
      const bool prints = (b >= 33 && b <= 126) || (b >= 161 && b <= 255 && b != 173);
      character[b] = prints ? b : further++;
      byte[character[b]] = static_cast<int>(b);
    }
  }
};

const Alphabet& alphabet() {
  static const Alphabet one;
  return one;
}

}  // namespace

std::string to_byte_alphabet(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    const char32_t code = alphabet().character[static_cast<unsigned char>(c)];
    if (code < 0x80) {
      text += static_cast<char>(code);
    } else {
      text += static_cast<char>(0xC0 | code >> 6);
      text += static_cast<char>(0x80 | (code & 0x3F));
    }
  }
  return text;
}

std::optional<std::string> from_byte_alphabet(std::string_view text) {
  std::string bytes;
  while (!text.empty()) {
    const char32_t code = utf8_code_point(text);
    if (code >= kEnd || alphabet().byte[code] < 0) return std::nullopt;
    bytes += static_cast<char>(alphabet().byte[code]);
    text.remove_prefix(utf8_length(text));
  }
  return bytes;
}

}  // namespace allot
