// Reads the expressions of a chat template, in Jinja's order of precedence.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "allot/text/chat/lexer.h"
#include "allot/text/chat/nodes.h"

namespace allot::chat {

// The tokens of a template from the first to the last.
class TokenReader {
 public:
  static constexpr int kDeepest = 200;  // of what encloses what

  TokenReader(std::vector<Token> tokens, const std::string& file)
      : tokens_(std::move(tokens)), file_(file) {}

  const Token& peek() const { return tokens_[at_]; }
  bool at(Token::Kind kind) const { return peek().kind == kind; }
  // An operator or a name of this spelling.
  bool at(std::string_view text) const;
  Token take();
  bool skip(Token::Kind kind);
  bool skip(std::string_view text);
  void expect(Token::Kind kind, std::string_view shown);
  void expect(std::string_view text);
  std::string name(std::string_view what);
  std::size_t line() const { return peek().line; }
  // Error(Model): [file:line] what.
  [[noreturn]] void refuse(std::string_view what) const;

  // While one exists, reading is one level deeper; too deep is refused.
  class Level {
   public:
    explicit Level(TokenReader& reader);
    ~Level() { --reader_.depth_; }
    Level(const Level&) = delete;

   private:
    TokenReader& reader_;
  };

 private:
  std::vector<Token> tokens_;  // ends with Kind::End
  const std::string& file_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

class ExpressionParser {
 public:
  explicit ExpressionParser(TokenReader& tokens) : tokens_(tokens) {}

  ExpressionPtr parse();                 // a if c else b, and all below
  ExpressionPtr parse_without_choice();  // as in `for x in y if c`
  ExpressionPtr parse_list();            // also a, b, c without brackets

 private:
  using Part = ExpressionPtr (ExpressionParser::*)();

  ExpressionPtr or_part();
  ExpressionPtr and_part();
  ExpressionPtr not_part();
  ExpressionPtr comparison();
  ExpressionPtr sum();
  ExpressionPtr joint();  // ~
  ExpressionPtr product();
  ExpressionPtr signed_part();
  ExpressionPtr postfix(ExpressionPtr of);
  ExpressionPtr filters(ExpressionPtr operand);
  ExpressionPtr filter(ExpressionPtr operand);
  ExpressionPtr test(ExpressionPtr operand);
  ExpressionPtr subscript(ExpressionPtr of);
  ExpressionPtr primary();
  ExpressionPtr number();
  ExpressionPtr list(std::string_view end);
  ExpressionPtr mapping();
  ArgumentList arguments();
  ExpressionPtr left_to_right(Part part, std::initializer_list<std::string_view> symbols);

  TokenReader& tokens_;
};

}  // namespace allot::chat
