// The pieces of a chat template: text, {{ expressions }}, {% statements %}; {# comments #} are
// gone.
//
// White space as transformers sets it (trim_blocks, lstrip_blocks): the line end after a statement
// or comment, and the blanks before one that begins its line, are no text; - and + inside of the
// delimiters as in Jinja. The last line end of the template is dropped.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace allot::chat {

struct Token {
  enum class Kind : std::uint8_t {
    Text,             // output as it is
    OpenExpression,   // {{
    CloseExpression,  // }}
    OpenStatement,    // {%
    CloseStatement,   // %}
    Name,
    String,  // text: without quotes, escapes resolved
    Integer,
    Real,
    Operator,
    End,
  };
  Kind kind = Kind::End;
  std::string text;
  std::size_t line = 1;
};

// Error(Model) naming `file` and the line: something that is not closed, an unknown character.
std::vector<Token> tokens_of(std::string_view source, const std::string& file);

}  // namespace allot::chat
