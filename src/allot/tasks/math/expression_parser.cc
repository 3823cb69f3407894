#include "allot/tasks/math/expression_parser.h"

#include <algorithm>
#include <utility>

#include "allot/tasks/math/normalise.h"
#include "allot/tasks/math/units.h"

namespace allot::verify {
namespace {

using K = TokenKind;

bool all_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_digit);
}

}  // namespace

std::vector<std::size_t> match_brackets(const std::vector<Token>& tokens) {
  std::vector<std::size_t> partner(tokens.size(), 0), open;
  const auto family = [](std::string_view text) {
    if (text == "(" || text == "[" || text == ")" || text == "]") return 0;
    if (text == "{" || text == "}") return 1;
    if (text == "set{" || text == "set}") return 2;
    return text == "<" || text == ">" ? 3 : text == "floor" ? 4 : 5;
  };
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const K kind = tokens[i].kind;
    if (kind == K::Open || kind == K::Begin) {
      open.push_back(i);
      if (open.size() > kDepth) throw LimitReached{};
    } else if (kind == K::Close || kind == K::End) {
      if (open.empty()) throw Unreadable{};
      const Token& opener = tokens[open.back()];
      const bool environment = kind == K::End;
      if (environment != (opener.kind == K::Begin)) throw Unreadable{};
      if (environment ? opener.text != tokens[i].text
                      : family(opener.text) != family(tokens[i].text))
        throw Unreadable{};
      partner[i] = open.back();
      partner[open.back()] = i;
      open.pop_back();
    }
  }
  if (!open.empty()) throw Unreadable{};
  return partner;
}

void ExpressionParser::enter() {
  work_.spend(1);
  if (++depth_ > kDepth) throw LimitReached{};
}

NodeId ExpressionParser::parse_part(TokenRange range, std::size_t& rest) {
  const std::size_t at = std::exchange(at_, range.begin);
  const std::size_t end = std::exchange(end_, range.end);
  const bool in_bars = std::exchange(in_bars_, false);
  const NodeId node = sum();
  rest = at_;
  at_ = at;
  end_ = end;
  in_bars_ = in_bars;
  return node;
}

NodeId ExpressionParser::parse(TokenRange range) {
  std::size_t rest = 0;
  const NodeId node = parse_part(range, rest);
  if (rest != range.end) throw Unreadable{};
  return node;
}

NodeId ExpressionParser::sum() {
  enter();
  std::vector<NodeId> terms;
  bool first = true;
  while (!done()) {
    const K kind = peek().kind;
    const bool sign =
        kind == K::Plus || kind == K::Minus || kind == K::PlusMinus || kind == K::MinusPlus;
    if (!sign && !first) break;
    first = false;
    bool negative = false;
    K last = K::Plus;
    while (!done() && (peek().kind == K::Plus || peek().kind == K::Minus ||
                       peek().kind == K::PlusMinus || peek().kind == K::MinusPlus)) {
      last = peek().kind;
      negative ^= last == K::Minus;
      ++at_;
    }
    NodeId term = product();
    if (last == K::PlusMinus || last == K::MinusPlus) {
      const NodeId before = terms.empty()       ? arena_.number(0)
                            : terms.size() == 1 ? terms[0]
                                                : arena_.make(Op::Add, terms);
      term = arena_.make(last == K::PlusMinus ? Op::PlusMinus : Op::MinusPlus, {before, term});
      terms.clear();
    }
    terms.push_back(negative ? arena_.make(Op::Negate, {term}) : term);
  }
  if (terms.empty()) throw Unreadable{};
  leave();
  return terms.size() == 1 ? terms[0] : arena_.make(Op::Add, std::move(terms));
}

NodeId ExpressionParser::product_of(std::vector<NodeId> factors) {
  return factors.size() == 1 ? factors[0] : arena_.make(Op::Multiply, std::move(factors));
}

NodeId ExpressionParser::product() {
  std::vector<NodeId> factors = {power()};
  while (!done()) {
    const K kind = peek().kind;
    if (kind == K::Times || kind == K::Slash) {
      ++at_;
      bool negative = false;
      while (next_is(K::Minus) || next_is(K::Plus)) {
        negative ^= peek().kind == K::Minus;
        ++at_;
      }
      NodeId right = power();
      if (negative) right = arena_.make(Op::Negate, {right});
      if (kind == K::Times)
        factors.push_back(right);
      else
        factors = {arena_.make(Op::Divide, {product_of(std::move(factors)), right})};
    } else if (starts_operand()) {
      if (kind == K::Number && tokens_[at_ - 1].kind == K::Number) throw Unreadable{};
      factors.push_back(power());
    } else {
      break;
    }
  }
  return product_of(std::move(factors));
}

bool ExpressionParser::starts_operand() const {
  switch (peek().kind) {
    case K::Number:
    case K::Symbol:
    case K::Open:
    case K::Fraction:
    case K::Root:
    case K::CubeRoot:
    case K::Binomial:
    case K::Accent:
    case K::Infinity:
    case K::Big:
      return true;
    case K::Function:
      return at_ + 1 < end_;  // "5 min" ends with a unit
    case K::Begin:
      return peek().text == "vmatrix";
    case K::Bar:
      return !in_bars_;
    case K::Word:
      return !is_unit_name(peek().text) && !is_common_word(peek().text) &&
             (peek().text.size() <= 3 || std::all_of(peek().text.begin(), peek().text.end(),
                                                     [](char c) { return c >= 'A' && c <= 'Z'; }));
    default:
      return false;
  }
}

NodeId ExpressionParser::power() { return raised(postfixed(operand())); }

NodeId ExpressionParser::postfixed(NodeId node) {
  for (; next_is(K::Bang); ++at_) {
    if (arena_[node].op == Op::Factorial) throw Unreadable{};  // a double factorial
    node = arena_.make(Op::Factorial, {node});
  }
  return node;
}

// A degree sign, also raised: ^\circ, ^{\circ}.
bool ExpressionParser::takes_degree() {
  if (next_is(K::Degree)) {
    ++at_;
    return true;
  }
  if (!next_is(K::Caret)) return false;
  const auto is = [&](std::size_t i, K kind) {
    return at_ + i < end_ && tokens_[at_ + i].kind == kind;
  };
  if (is(1, K::Degree)) {
    at_ += 2;
    return true;
  }
  if (is(1, K::Open) && is(2, K::Degree) && is(3, K::Close)) {
    at_ += 4;
    return true;
  }
  return false;
}

NodeId ExpressionParser::raised(NodeId base) {
  if (takes_degree()) return arena_.make(Op::Degree, {base});
  if (!next_is(K::Caret)) return base;
  ++at_;
  const NodeId up = exponent();
  return postfixed(arena_.make(Op::Power, {base, up}));
}

// Powers of powers bind to the right.
NodeId ExpressionParser::exponent() {
  enter();
  bool negative = false;
  while (next_is(K::Minus) || next_is(K::Plus)) {
    negative ^= peek().kind == K::Minus;
    ++at_;
  }
  if (done()) throw Unreadable{};
  NodeId node = raised(operand());
  if (negative) node = arena_.make(Op::Negate, {node});
  leave();
  return node;
}

NodeId ExpressionParser::operand() {
  if (done()) throw Unreadable{};
  work_.spend(1);
  switch (peek().kind) {
    case K::Number:
      return number();
    case K::Symbol:
      return name();
    case K::Word:
      return word();
    case K::Function:
      return function();
    case K::Open:
      return bracket();
    case K::Bar:
      return absolute();
    case K::Fraction:
    case K::Binomial:
      return fraction();
    case K::Root:
    case K::CubeRoot:
      return root();
    case K::Accent:
      return accent();
    case K::Big:
      return opaque();
    case K::Begin:
      return determinant();
    case K::Infinity:
      ++at_;
      return arena_.make(Op::Infinity, {});
    default:
      throw Unreadable{};
  }
}

NodeId ExpressionParser::decimal(const Token& token) {
  Node node{Op::Number, {}, read_decimal(token.text, work_), {}};
  const std::size_t point = token.text.find('.');
  if (token.repeat > 0) {
    // 0.1(6): the digits without the last period, plus the period over 9, 99, ...
    const std::size_t decimals = token.text.size() - point - 1;
    const Rational before = read_decimal(
        std::string_view(token.text).substr(0, token.text.size() - token.repeat), work_);
    const Rational period = (node.value - before) * power_of_ten(decimals, work_);
    const Integer nines = power_of_ten(token.repeat, work_) - 1;
    node.value = before + period / nines / power_of_ten(decimals - token.repeat, work_);
    return arena_.add(std::move(node));
  }
  if (point != std::string::npos) {
    node.decimals = static_cast<int>(token.text.size() - point - 1);
    const std::size_t first = token.text.find_first_not_of("0.");
    if (first != std::string::npos)
      node.significant = static_cast<int>(token.text.size() - first) - (point > first ? 1 : 0);
  }
  return arena_.add(std::move(node));
}

NodeId ExpressionParser::number() {
  const Token& token = peek();
  if (at_ + 1 < end_ && tokens_[at_ + 1].kind == K::Under) return base_numeral(token);
  const bool whole = token.text.find('.') == std::string::npos;
  const NodeId node = decimal(token);
  ++at_;
  return whole && proper_fraction_follows() ? mixed(node) : node;
}

// "1 1/2" and "1\frac{1}{2}" behind the whole number.
bool ExpressionParser::proper_fraction_follows() const {
  const auto plain = [&](std::size_t i) {
    return i < end_ && tokens_[i].kind == K::Number && all_digits(tokens_[i].text);
  };
  const auto less = [](std::string_view a, std::string_view b) {
    return a.size() < b.size() || (a.size() == b.size() && a < b);
  };
  if (next_is(K::Number))
    return peek().space_before && plain(at_) && at_ + 1 < end_ &&
           tokens_[at_ + 1].kind == K::Slash && plain(at_ + 2) &&
           less(peek().text, tokens_[at_ + 2].text);
  if (!next_is(K::Fraction)) return false;
  std::size_t i = at_ + 1;
  std::string parts[2];
  for (std::string& part : parts) {
    if (i < end_ && tokens_[i].kind == K::Open && plain(i + 1) && partner_[i] == i + 2) {
      part = tokens_[i + 1].text;
      i += 3;
    } else if (plain(i) && tokens_[i].text.size() <= 2) {
      // \frac58 is one token of two digits, \frac5{8} is two tokens.
      if (&part == parts && tokens_[i].text.size() == 2) {
        parts[0] = tokens_[i].text.substr(0, 1);
        parts[1] = tokens_[i].text.substr(1);
        ++i;
        break;
      }
      part = tokens_[i++].text;
    } else {
      return false;
    }
  }
  const bool letter_follows = i < end_ && tokens_[i].kind == K::Symbol;
  return less(parts[0], parts[1]) && !letter_follows;
}

NodeId ExpressionParser::mixed(NodeId whole) {
  NodeId part = 0;
  if (next_is(K::Number)) {
    const NodeId top = decimal(peek());
    at_ += 2;
    part = arena_.make(Op::Divide, {top, decimal(peek())});
    ++at_;
  } else {
    part = fraction();
  }
  return arena_.make(Op::Add, {whole, part});
}

// 1011_2, 1011_{2}: value and spelling.
NodeId ExpressionParser::base_numeral(const Token& token) {
  const std::string digits = token.text;
  at_ += 2;
  if (done()) throw Unreadable{};
  std::string base_text;
  if (next_is(K::Open, "{")) {
    const std::size_t close = partner_[at_];
    for (std::size_t i = at_ + 1; i < close; ++i) base_text += tokens_[i].text;
    at_ = close + 1;
  } else {
    base_text = peek().text;
    ++at_;
  }
  constexpr std::string_view kNames[] = {"two",   "three", "four", "five", "six",
                                         "seven", "eight", "nine", "ten"};
  for (std::size_t i = 0; i < std::size(kNames); ++i)
    if (base_text == kNames[i]) base_text = std::to_string(i + 2);
  if (!all_digits(digits) || !all_digits(base_text) || base_text.size() > 2) throw Unreadable{};
  const int base = std::stoi(base_text);
  if (base < 2 || base > 36) throw Unreadable{};
  Integer value = 0;
  for (const char c : digits) {
    if (c - '0' >= base) throw Unreadable{};
    value = value * base + (c - '0');
  }
  work_.spend(digits.size());
  return arena_.add(
      {Op::BaseNumeral, {}, bounded(Rational(value), work_), digits + "_" + base_text});
}

NodeId ExpressionParser::bracket() {
  const std::string& open = peek().text;
  if (open == "set{" || open == "<") throw Unreadable{};
  const bool rounds_down = open == "floor", rounds_up = open == "ceil";
  const std::size_t close = partner_[at_];
  // A half-open pair is an interval, not a bracket.
  if ((open == "(" && tokens_[close].text != ")") || (open == "[" && tokens_[close].text != "]"))
    throw Unreadable{};
  const NodeId node = inside(at_);
  if (rounds_down) return arena_.make(Op::Function, {node}, "floor");
  if (rounds_up) return arena_.make(Op::Function, {node}, "ceil");
  return node;
}

NodeId ExpressionParser::inside(std::size_t open) {
  const std::size_t close = partner_[open];
  if (close <= open || close >= end_) throw Unreadable{};
  enter();
  const NodeId node = parse({open + 1, close});
  leave();
  at_ = close + 1;
  return node;
}

NodeId ExpressionParser::absolute() {
  ++at_;
  const bool outer = std::exchange(in_bars_, true);
  const NodeId node = sum();
  in_bars_ = outer;
  if (!next_is(K::Bar)) throw Unreadable{};
  ++at_;
  return arena_.make(Op::Function, {node}, "abs");
}

// An argument of a command: a group, or one sign. `\frac12` takes one digit at a time.
NodeId ExpressionParser::argument() {
  if (done()) throw Unreadable{};
  if (next_is(K::Open, "{")) return inside(at_);
  if (next_is(K::Number) && all_digits(peek().text) && peek().text.size() > 1) {
    Token& token = tokens_[at_];
    const Rational digit(token.text[0] - '0');
    token.text.erase(0, 1);
    return arena_.number(digit);
  }
  return operand();
}

NodeId ExpressionParser::fraction() {
  const K kind = peek().kind;
  ++at_;
  const NodeId top = argument();
  const NodeId bottom = argument();
  if (kind == K::Fraction) return arena_.make(Op::Divide, {top, bottom});
  return arena_.make(Op::Function, {top, bottom}, "binomial");
}

NodeId ExpressionParser::root() {
  const bool cube = peek().kind == K::CubeRoot;
  ++at_;
  NodeId degree = arena_.number(cube ? 3 : 2);
  if (next_is(K::Open, "[")) degree = inside(at_);
  // \sqrt{}{3} is a slip for \sqrt{3}.
  if (next_is(K::Open, "{") && partner_[at_] == at_ + 1) at_ += 2;
  if (done()) throw Unreadable{};
  const NodeId base = operand();
  const NodeId one = arena_.number(1);
  return arena_.make(Op::Power, {base, arena_.make(Op::Divide, {one, degree})});
}

}  // namespace allot::verify
