// From tokens to an expression: precedence as on paper, implicit products, function names with and
// without brackets, mixed numbers.
//
//   sum      := ['+'|'-'|'+-'] product (('+'|'-'|'+-'|'-+') product)*
//   product  := power (('*'|'/'|nothing) power)*
//   power    := operand ('!' | degree)* ['^' exponent]
//   operand  := number | name | function | '(' sum ')' | '|' sum '|' | fraction | root | ...
//
// A product of numbers needs a sign: "2 3" is unreadable. `1/2x` is (1/2)x.
#pragma once

#include <vector>

#include "allot/tasks/math/expression.h"
#include "allot/tasks/math/tokens.h"

namespace allot::verify {

// A part of a list of tokens.
struct TokenRange {
  std::size_t begin = 0, end = 0;
  std::size_t size() const { return end - begin; }
  bool empty() const { return begin == end; }
};

class ExpressionParser {
 public:
  // `partner[i]` is the index of the bracket that belongs to the bracket tokens[i].
  ExpressionParser(Arena& arena, std::vector<Token>& tokens,
                   const std::vector<std::size_t>& partner, Work& work)
      : arena_(arena), tokens_(tokens), partner_(partner), work_(work) {}

  // Reads as much of the range as is an expression; `rest` is where it ends. Throws Unreadable
  // where not even a part is one.
  NodeId parse_part(TokenRange range, std::size_t& rest);
  // The whole range.
  NodeId parse(TokenRange range);

  // Cells of a matrix environment whose Begin stands at range.begin and End at range.end - 1, row
  // by row; `columns` is set. Throws Unreadable unless all rows are equally long.
  std::vector<TokenRange> cells(TokenRange range, std::size_t& columns) const;

 private:
  NodeId sum();
  NodeId product();
  NodeId product_of(std::vector<NodeId> factors);
  NodeId power();
  NodeId raised(NodeId base);
  NodeId postfixed(NodeId operand);
  NodeId operand();
  NodeId number();
  NodeId decimal(const Token& token);
  NodeId mixed(NodeId whole);
  NodeId base_numeral(const Token& token);
  NodeId name();
  NodeId word();
  NodeId function();
  NodeId function_argument();
  std::vector<NodeId> call_arguments();
  NodeId bracket();
  NodeId absolute();
  NodeId fraction();
  NodeId root();
  NodeId accent();
  NodeId opaque();
  NodeId determinant();
  NodeId argument();
  NodeId exponent();
  NodeId inside(std::size_t open);  // the expression between two brackets; moves behind them
  std::string subscript();
  bool takes_degree();

  bool done() const { return at_ >= end_; }
  const Token& peek() const { return tokens_[at_]; }
  bool next_is(TokenKind kind) const { return !done() && peek().kind == kind; }
  bool next_is(TokenKind kind, std::string_view text) const {
    return next_is(kind) && peek().text == text;
  }
  bool starts_operand() const;
  bool proper_fraction_follows() const;
  void enter();
  void leave() { --depth_; }

  Arena& arena_;
  std::vector<Token>& tokens_;
  const std::vector<std::size_t>& partner_;
  Work& work_;
  std::size_t at_ = 0, end_ = 0;
  int depth_ = 0;
  bool in_bars_ = false;  // a bar now closes an absolute value
};

// partner[i] for every bracket of tokens; throws Unreadable where they do not match. Round and
// square brackets may close each other, as in [0, 1).
std::vector<std::size_t> match_brackets(const std::vector<Token>& tokens);

}  // namespace allot::verify
