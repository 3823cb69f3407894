// The LaTeX commands and plain names that an answer may contain.
#pragma once

#include <optional>
#include <string_view>

#include "allot/tasks/math/tokens.h"

namespace allot::verify {

struct Name {
  std::string_view name;
  TokenKind kind;
  std::string_view text;
};

enum class Handling : std::uint8_t {
  Token,    // becomes the token of `Name`
  Skip,     // says nothing about the value: sizes, spaces
  Wrapper,  // text wrapper: its argument is text
  SkipWithArgument,
  Delimiter  // \left, \right: says nothing, and a "." after it neither
};

struct Command {
  Handling handling;
  TokenKind kind;
  std::string_view text;
};

// `name` without the backslash.
std::optional<Command> find_command(std::string_view name);
// The longest known command that `name` begins with and that may be followed by letters in sloppy
// text (`\quadx`, `\lex`), or "".
std::string_view known_prefix(std::string_view name);
// Plain names: pi, sqrt, and, infinity, alpha, ...
std::optional<Command> find_plain(std::string_view name);

}  // namespace allot::verify
