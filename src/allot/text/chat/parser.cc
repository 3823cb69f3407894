#include "allot/text/chat/parser.h"

#include <algorithm>
#include <charconv>
#include <initializer_list>

#include "allot/core/error.h"
#include "allot/text/chat/expression_parser.h"
#include "allot/text/chat/lexer.h"
#include "allot/text/chat/nodes.h"

namespace allot::chat {
namespace {

class Parser {
 public:
  explicit Parser(TokenReader& tokens) : tokens_(tokens), expressions_(tokens) {}

  Block run() {
    Block all = block({});
    if (!tokens_.at(Token::Kind::End)) tokens_.refuse("a statement ends here that was not begun");
    return all;
  }

 private:
  // Statements up to one of `ends`, whose name is next and which is not taken; or to the end.
  Block block(std::initializer_list<std::string_view> ends) {
    const TokenReader::Level level(tokens_);
    Block all;
    for (;;) {
      const std::size_t line = tokens_.line();
      if (tokens_.at(Token::Kind::End)) {
        if (ends.size() > 0) tokens_.refuse(concat("{% ", *(ends.end() - 1), " %} is missing"));
        return all;
      }
      if (tokens_.at(Token::Kind::Text)) {
        auto text = std::make_unique<TextOutput>();
        text->text = tokens_.take().text;
        add(all, std::move(text), line);
      } else if (tokens_.skip(Token::Kind::OpenExpression)) {
        auto output = std::make_unique<Output>();
        output->expression = expressions_.parse();
        tokens_.expect(Token::Kind::CloseExpression, "}}");
        add(all, std::move(output), line);
      } else {
        tokens_.expect(Token::Kind::OpenStatement, "{%");
        if (std::find(ends.begin(), ends.end(), tokens_.peek().text) != ends.end()) return all;
        add(all, statement(), line);
      }
    }
  }

  static void add(Block& all, std::unique_ptr<Statement> statement, std::size_t line) {
    statement->line = line;
    all.push_back(std::move(statement));
  }

  std::unique_ptr<Statement> statement() {
    const std::string name = tokens_.name("the name of a statement");
    if (name == "if") return if_statement();
    if (name == "for") return for_statement();
    if (name == "set") return set_statement();
    if (name == "macro") return macro();
    if (name == "break" || name == "continue") {
      if (loops_ == 0) tokens_.refuse(concat("{% ", name, " %} stands outside of a loop"));
      auto jump = std::make_unique<Jump>();
      jump->flow = name == "break" ? Flow::Break : Flow::Continue;
      close();
      return jump;
    }
    if (name == "generation") {
      auto group = std::make_unique<Group>();
      close();
      group->body = ended("endgeneration");
      return group;
    }
    tokens_.refuse(concat("the statement {% ", name, " %} is not supported"));
  }

  void close() { tokens_.expect(Token::Kind::CloseStatement, "%}"); }
  Block ended(std::string_view end) {
    Block body = block({end});
    tokens_.take();
    close();
    return body;
  }

  std::unique_ptr<Statement> if_statement() {
    auto chosen = std::make_unique<If>();
    ExpressionPtr condition = expressions_.parse();
    for (;;) {
      close();
      Block body = block({"elif", "else", "endif"});
      const bool last = condition == nullptr;
      chosen->branches.emplace_back(std::move(condition), std::move(body));
      const std::string end = tokens_.take().text;
      if (end == "endif") break;
      if (last) tokens_.refuse("there is something after {% else %}");
      condition = end == "elif" ? expressions_.parse() : nullptr;
    }
    close();
    return chosen;
  }

  std::unique_ptr<Statement> for_statement() {
    auto loop = std::make_unique<For>();
    do loop->names.push_back(tokens_.name("the name of a loop's variable"));
    while (tokens_.skip(","));
    if (!tokens_.skip("in")) tokens_.refuse("'in' is needed");
    loop->over = expressions_.parse_without_choice();
    if (tokens_.skip("if")) loop->condition = expressions_.parse();
    if (tokens_.peek().text == "recursive") tokens_.refuse("recursive loops are not supported");
    close();
    ++loops_;
    loop->body = block({"else", "endfor"});
    --loops_;
    if (tokens_.take().text == "else") {
      close();
      loop->otherwise = block({"endfor"});
      tokens_.take();
    }
    close();
    return loop;
  }

  std::unique_ptr<Statement> set_statement() {
    auto set = std::make_unique<Set>();
    set->name = tokens_.name("a name to set");
    if (tokens_.skip(".")) set->field = tokens_.name("the field of a namespace");
    if (tokens_.at(Token::Kind::CloseStatement)) {
      close();
      const int loops = std::exchange(loops_, 0);
      set->body = ended("endset");
      loops_ = loops;
      return set;
    }
    if (!tokens_.skip("=")) tokens_.refuse("'=' is needed; one name is set at a time");
    set->expression = expressions_.parse_list();
    close();
    return set;
  }

  std::unique_ptr<Statement> macro() {
    auto macro = std::make_unique<Macro>();
    macro->name = tokens_.name("the name of a macro");
    tokens_.expect("(");
    while (!tokens_.skip(")")) {
      std::string parameter = tokens_.name("the name of a parameter");
      ExpressionPtr otherwise = tokens_.skip("=") ? expressions_.parse() : nullptr;
      macro->parameters.emplace_back(std::move(parameter), std::move(otherwise));
      if (!tokens_.skip(",") && tokens_.peek().text != ")") tokens_.refuse("')' is needed");
    }
    close();
    const int loops = std::exchange(loops_, 0);
    macro->body = ended("endmacro");
    loops_ = loops;
    return macro;
  }

  TokenReader& tokens_;
  ExpressionParser expressions_;
  int loops_ = 0;  // around the statement that is read
};

}  // namespace

Block parse_template(std::string_view source, const std::string& file) {
  TokenReader tokens(tokens_of(source, file), file);
  return Parser(tokens).run();
}

}  // namespace allot::chat
