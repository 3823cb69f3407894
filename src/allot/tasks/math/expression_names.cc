// The part of the expression parser that reads names: symbols, functions, accents, determinants.
#include <algorithm>
#include <utility>

#include "allot/tasks/math/expression_parser.h"

namespace allot::verify {
namespace {

using K = TokenKind;

bool names_function(std::string_view name) {
  const char c = name.empty() ? '\0' : name[0];
  return (c == 'f' || c == 'g' || c == 'h' || c == 'F' || c == 'G') &&
         (name.size() == 1 || name[1] == '\'' || name[1] == '_');
}

// One name for the spellings of a function.
std::string_view canonical(std::string_view name) {
  constexpr std::pair<std::string_view, std::string_view> kNames[] = {
      {"asin", "arcsin"}, {"acos", "arccos"}, {"atan", "arctan"}, {"lg", "log10"}};
  for (const auto& [from, to] : kNames)
    if (from == name) return to;
  return name;
}

std::string_view inverse(std::string_view name) {
  constexpr std::pair<std::string_view, std::string_view> kNames[] = {
      {"sin", "arcsin"}, {"cos", "arccos"}, {"tan", "arctan"}, {"cot", "arccot"}};
  for (const auto& [from, to] : kNames)
    if (from == name) return to;
  return {};
}

}  // namespace

// What stands behind an underscore, as text.
std::string ExpressionParser::subscript() {
  ++at_;
  if (done()) throw Unreadable{};
  std::string text;
  if (next_is(K::Open, "{")) {
    const std::size_t close = partner_[at_];
    for (std::size_t i = at_ + 1; i < close; ++i) text += tokens_[i].text;
    at_ = close + 1;
  } else {
    text = peek().text;
    ++at_;
  }
  return text;
}

NodeId ExpressionParser::name() {
  std::string text = peek().text;
  ++at_;
  if (next_is(K::Under)) text += "_" + subscript();
  for (; next_is(K::Prime); ++at_) text += '\'';
  // A[1] is an entry of A.
  if (next_is(K::Open, "[") && !peek().space_before && partner_[at_] == at_ + 2 &&
      (tokens_[at_ + 1].kind == K::Number || tokens_[at_ + 1].kind == K::Symbol)) {
    text += "[" + tokens_[at_ + 1].text + "]";
    at_ += 3;
  }
  if (names_function(text) && next_is(K::Open, "("))
    return arena_.make(Op::Function, call_arguments(), "call:" + text);
  return arena_.make(Op::Symbol, {}, std::move(text));
}

// Letters without a sign between them are a product.
NodeId ExpressionParser::word() {
  if (!starts_operand()) throw Unreadable{};
  std::vector<NodeId> letters;
  for (const char c : peek().text)
    letters.push_back(arena_.make(Op::Symbol, {}, std::string(1, c)));
  ++at_;
  if (next_is(K::Under)) {
    const std::string below = subscript();
    letters.back() = arena_.make(Op::Symbol, {}, arena_[letters.back()].name + "_" + below);
  }
  if (next_is(K::Caret)) letters.back() = raised(letters.back());
  return product_of(std::move(letters));
}

std::vector<NodeId> ExpressionParser::call_arguments() {
  const std::size_t open = at_, close = partner_[at_];
  if (close >= end_ || tokens_[close].text != ")") throw Unreadable{};
  std::vector<NodeId> arguments;
  enter();
  std::size_t begin = open + 1;
  for (std::size_t i = begin; i <= close; ++i) {
    if (i < close && tokens_[i].kind == K::Open) i = partner_[i];
    if (i < close && tokens_[i].kind != K::Comma) continue;
    arguments.push_back(parse({begin, i}));
    begin = i + 1;
  }
  leave();
  at_ = close + 1;
  return arguments;
}

NodeId ExpressionParser::function() {
  std::string name(canonical(peek().text));
  ++at_;
  enter();
  NodeId exponent_node = 0, base = 0;
  bool has_exponent = false, has_base = false;
  for (int i = 0; i < 2; ++i) {
    if (next_is(K::Under)) {
      ++at_;
      base = argument();
      has_base = true;
    } else if (next_is(K::Caret)) {
      ++at_;
      exponent_node = exponent();
      has_exponent = true;
    }
  }
  if (has_exponent) {
    const Node& power = arena_[exponent_node];
    const bool inverted = power.op == Op::Negate && arena_[power.kids[0]].op == Op::Number &&
                          arena_[power.kids[0]].value == 1;
    const std::string_view inverse_name = inverse(name);
    if (inverted && !inverse_name.empty()) {
      name = inverse_name;
      has_exponent = false;
    }
  }
  std::vector<NodeId> arguments;
  if (next_is(K::Open, "("))
    arguments = call_arguments();
  else
    arguments = {function_argument()};
  if (has_base) {
    if (name != "log" || arguments.size() != 1) throw Unreadable{};
    arguments.push_back(base);
    name = "log_base";
  }
  NodeId node = arena_.make(Op::Function, std::move(arguments), name);
  if (has_exponent) node = arena_.make(Op::Power, {node, exponent_node});
  leave();
  return node;
}

// Without brackets a function takes the product that follows, up to a sign, a bracket or another
// function: sin 2x, sin b cos a.
NodeId ExpressionParser::function_argument() {
  if (next_is(K::Minus)) {
    ++at_;
    return arena_.make(Op::Negate, {function_argument()});
  }
  if (next_is(K::Function)) return function();
  std::vector<NodeId> factors = {power()};
  while (!done() && starts_operand() && peek().kind != K::Function && peek().kind != K::Bar &&
         peek().kind != K::Open && peek().kind != K::Big && peek().kind != K::Begin) {
    if (peek().kind == K::Number && tokens_[at_ - 1].kind == K::Number) break;
    factors.push_back(power());
  }
  return product_of(std::move(factors));
}

// \overline{AB}, \vec v, \angle ABC: one name.
NodeId ExpressionParser::accent() {
  std::string text = peek().text + "(";
  ++at_;
  if (done()) throw Unreadable{};
  if (next_is(K::Open, "{")) {
    const std::size_t close = partner_[at_];
    for (std::size_t i = at_ + 1; i < close; ++i) text += tokens_[i].text;
    at_ = close + 1;
  } else {
    text += peek().text;
    ++at_;
  }
  return arena_.make(Op::Symbol, {}, text + ")");
}

// A sum, product, integral or limit is compared as it is written.
NodeId ExpressionParser::opaque() {
  std::string text;
  for (; !done(); ++at_) text += tokens_[at_].text + " ";
  return arena_.make(Op::Opaque, {}, std::move(text));
}

std::vector<TokenRange> ExpressionParser::cells(TokenRange range, std::size_t& columns) const {
  std::vector<TokenRange> found;
  columns = 0;
  std::size_t begin = range.begin + 1, in_row = 0;
  const std::size_t last = range.end - 1;
  for (std::size_t i = begin; i <= last; ++i) {
    if (i < last && (tokens_[i].kind == K::Open || tokens_[i].kind == K::Begin)) {
      i = partner_[i];
      continue;
    }
    const bool row = i == last || tokens_[i].kind == K::Row;
    if (!row && tokens_[i].kind != K::Ampersand) continue;
    if (i == last && begin == i && in_row == 0) break;  // nothing behind the last row's end
    found.push_back({begin, i});
    if (found.size() > kEntries) throw LimitReached{};
    ++in_row;
    begin = i + 1;
    if (!row) continue;
    if (columns != 0 && in_row != columns) throw Unreadable{};
    columns = in_row;
    in_row = 0;
  }
  if (found.empty()) throw Unreadable{};
  return found;
}

NodeId ExpressionParser::determinant() {
  if (peek().text != "vmatrix") throw Unreadable{};
  const std::size_t close = partner_[at_];
  std::size_t n = 0;
  const std::vector<TokenRange> entries = cells({at_, close + 1}, n);
  if (n * n != entries.size() || n > 3) throw Unreadable{};
  enter();
  std::vector<NodeId> m;
  for (const TokenRange& entry : entries) m.push_back(parse(entry));
  leave();
  at_ = close + 1;
  const auto two = [&](std::size_t a, std::size_t b, std::size_t c, std::size_t d) {
    const NodeId left = arena_.make(Op::Multiply, {m[a], m[d]});
    const NodeId right = arena_.make(Op::Multiply, {m[b], m[c]});
    return arena_.make(Op::Add, {left, arena_.make(Op::Negate, {right})});
  };
  if (n == 1) return m[0];
  if (n == 2) return two(0, 1, 2, 3);
  const NodeId first = arena_.make(Op::Multiply, {m[0], two(4, 5, 7, 8)});
  const NodeId second = arena_.make(Op::Multiply, {m[1], two(3, 5, 6, 8)});
  const NodeId third = arena_.make(Op::Multiply, {m[2], two(3, 4, 6, 7)});
  return arena_.make(Op::Add, {first, arena_.make(Op::Negate, {second}), third});
}

}  // namespace allot::verify
