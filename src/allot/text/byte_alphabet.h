// The alphabet that byte-level vocabularies are written in: every byte is one printable character.
// Source: GPT-2 (Radford et al. 2019), encoder.py. Bytes 33-126, 161-172 and 174-255 stand for the
// characters with the same number; the other 68, in ascending order, for U+0100 to U+0143, so that
// a space is written as U+0120.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace allot {

std::string to_byte_alphabet(std::string_view bytes);

// The bytes that valid UTF-8 `text` stands for; nothing if one of its characters is no byte's.
std::optional<std::string> from_byte_alphabet(std::string_view text);

}  // namespace allot
