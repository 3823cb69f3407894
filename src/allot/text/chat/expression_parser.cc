#include "allot/text/chat/expression_parser.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "allot/core/error.h"

namespace allot::chat {
namespace {

// Names that are part of the language.
constexpr std::array<std::string_view, 7> kReserved = {"and", "or", "not", "in",
                                                       "is",  "if", "else"};

bool is_reserved(const Token& token) {
  return token.kind == Token::Kind::Name &&
         std::find(kReserved.begin(), kReserved.end(), token.text) != kReserved.end();
}

}  // namespace

bool TokenReader::at(std::string_view text) const {
  return (at(Token::Kind::Operator) || at(Token::Kind::Name)) && peek().text == text;
}
Token TokenReader::take() { return at(Token::Kind::End) ? peek() : tokens_[at_++]; }
bool TokenReader::skip(Token::Kind kind) { return at(kind) && (++at_, true); }
bool TokenReader::skip(std::string_view text) { return at(text) && (++at_, true); }
void TokenReader::expect(Token::Kind kind, std::string_view shown) {
  if (!skip(kind)) refuse(concat(shown, " is needed before '", peek().text, "'"));
}
void TokenReader::expect(std::string_view text) {
  if (!skip(text)) refuse(concat("'", text, "' is needed before '", peek().text, "'"));
}
std::string TokenReader::name(std::string_view what) {
  if (!at(Token::Kind::Name)) refuse(concat(what, " is needed before '", peek().text, "'"));
  return take().text;
}
void TokenReader::refuse(std::string_view what) const {
  throw Error(ErrorKind::Model, concat(file_, ":", line()), concat("chat template: ", what),
              "the constructs of the Qwen, Llama 3 and ChatML templates are supported");
}

TokenReader::Level::Level(TokenReader& reader) : reader_(reader) {
  if (++reader_.depth_ > kDeepest)
    reader_.refuse(concat("more than ", kDeepest, " things lie within each other"));
}

ExpressionPtr ExpressionParser::parse() {
  const TokenReader::Level level(tokens_);
  ExpressionPtr then = parse_without_choice();
  while (tokens_.skip("if")) {
    auto choice = std::make_unique<Choice>();
    choice->then = std::move(then);
    choice->condition = parse_without_choice();
    if (tokens_.skip("else")) choice->otherwise = parse();
    then = std::move(choice);
  }
  return then;
}

ExpressionPtr ExpressionParser::parse_without_choice() {
  const TokenReader::Level level(tokens_);
  return or_part();
}

ExpressionPtr ExpressionParser::parse_list() {
  ExpressionPtr first = parse();
  if (!tokens_.at(",")) return first;
  auto all = std::make_unique<ListOf>();
  all->elements.push_back(std::move(first));
  while (tokens_.skip(",")) all->elements.push_back(parse());
  return all;
}

ExpressionPtr ExpressionParser::left_to_right(Part part,
                                              std::initializer_list<std::string_view> symbols) {
  ExpressionPtr left = (this->*part)();
  int operators = 0;
  for (;;) {
    const auto found = std::find_if(symbols.begin(), symbols.end(),
                                    [&](std::string_view symbol) { return tokens_.at(symbol); });
    if (found == symbols.end()) return left;
    // Each makes the tree one level deeper.
    if (++operators > TokenReader::kDeepest) tokens_.refuse("an expression is too long");
    tokens_.take();
    auto both = std::make_unique<Binary>();
    both->symbol = *found;
    both->left = std::move(left);
    both->right = (this->*part)();
    left = std::move(both);
  }
}

ExpressionPtr ExpressionParser::or_part() {
  return left_to_right(&ExpressionParser::and_part, {"or"});
}
ExpressionPtr ExpressionParser::and_part() {
  return left_to_right(&ExpressionParser::not_part, {"and"});
}

ExpressionPtr ExpressionParser::not_part() {
  if (!tokens_.skip("not")) return comparison();
  const TokenReader::Level level(tokens_);
  auto negated = std::make_unique<Unary>();
  negated->symbol = "not";
  negated->operand = not_part();
  return negated;
}

ExpressionPtr ExpressionParser::comparison() {
  auto chain = std::make_unique<Chain>();
  chain->first = sum();
  for (;;) {
    std::string symbol;
    for (const char* one : {"==", "!=", "<=", ">=", "<", ">", "in"})
      if (symbol.empty() && tokens_.skip(one)) symbol = one;
    if (symbol.empty() && tokens_.skip("not")) {
      tokens_.expect("in");
      symbol = "not in";
    }
    if (symbol.empty()) break;
    chain->rest.emplace_back(symbol, sum());
  }
  if (chain->rest.empty()) return std::move(chain->first);
  return chain;
}

ExpressionPtr ExpressionParser::sum() {
  return left_to_right(&ExpressionParser::joint, {"+", "-"});
}
ExpressionPtr ExpressionParser::joint() { return left_to_right(&ExpressionParser::product, {"~"}); }
ExpressionPtr ExpressionParser::product() {
  return left_to_right(&ExpressionParser::signed_part, {"*", "//", "/", "%"});
}

// Filters and tests bind more loosely than a sign: -x|f is (-x)|f.
ExpressionPtr ExpressionParser::signed_part() {
  const TokenReader::Level level(tokens_);
  for (const char* symbol : {"-", "+"}) {
    if (!tokens_.skip(symbol)) continue;
    auto negated = std::make_unique<Unary>();
    negated->symbol = symbol;
    negated->operand = postfix(primary());
    return filters(std::move(negated));
  }
  ExpressionPtr value = filters(postfix(primary()));
  if (tokens_.at("**")) tokens_.refuse("the operator ** is not supported");
  return value;
}

ExpressionPtr ExpressionParser::postfix(ExpressionPtr of) {
  for (int parts = 0;; ++parts) {
    if (parts > TokenReader::kDeepest) tokens_.refuse("an expression is too long");
    if (tokens_.skip(".")) {
      auto field = std::make_unique<Attribute>();
      field->of = std::move(of);
      field->name = tokens_.name("the name of a field");
      of = std::move(field);
    } else if (tokens_.skip("[")) {
      of = subscript(std::move(of));
    } else if (tokens_.skip("(")) {
      const auto* method = dynamic_cast<const Attribute*>(of.get());
      if (method != nullptr && !is_method(method->name))
        tokens_.refuse(concat("the method ", method->name, " is not supported"));
      auto call = std::make_unique<Call>();
      call->function = std::move(of);
      call->arguments = arguments();
      of = std::move(call);
    } else {
      return of;
    }
  }
}

ExpressionPtr ExpressionParser::subscript(ExpressionPtr of) {
  ExpressionPtr first = tokens_.at(":") ? nullptr : parse();
  if (first != nullptr && tokens_.skip("]")) {
    auto item = std::make_unique<Item>();
    item->of = std::move(of);
    item->index = std::move(first);
    return item;
  }
  auto slice = std::make_unique<Slice>();
  slice->of = std::move(of);
  slice->begin = std::move(first);
  tokens_.expect(":");
  if (!tokens_.at(":") && !tokens_.at("]")) slice->end = parse();
  if (tokens_.skip(":") && !tokens_.at("]")) slice->step = parse();
  tokens_.expect("]");
  return slice;
}

ExpressionPtr ExpressionParser::filters(ExpressionPtr operand) {
  for (int parts = 0;; ++parts) {
    if (parts > TokenReader::kDeepest) tokens_.refuse("an expression is too long");
    if (tokens_.skip("|"))
      operand = filter(std::move(operand));
    else if (tokens_.skip("is"))
      operand = test(std::move(operand));
    else if (tokens_.skip("("))
      tokens_.refuse("the result of a filter cannot be called");
    else
      return operand;
  }
}

ExpressionPtr ExpressionParser::filter(ExpressionPtr operand) {
  auto filtered = std::make_unique<Filtered>();
  const std::string name = tokens_.name("the name of a filter");
  filtered->operand = std::move(operand);
  filtered->filter = find_filter(name);
  if (filtered->filter == nullptr) tokens_.refuse(concat("the filter ", name, " is not supported"));
  if (tokens_.skip("(")) filtered->arguments = arguments();
  return filtered;
}

ExpressionPtr ExpressionParser::test(ExpressionPtr operand) {
  const bool negated = tokens_.skip("not");
  auto tested = std::make_unique<Tested>();
  const std::string name = tokens_.name("the name of a test");
  tested->operand = std::move(operand);
  tested->test = find_test(name);
  if (tested->test == nullptr) tokens_.refuse(concat("the test ", name, " is not supported"));
  const bool value_follows = tokens_.at(Token::Kind::String) || tokens_.at(Token::Kind::Integer) ||
                             tokens_.at(Token::Kind::Real) || tokens_.at("[") || tokens_.at("{") ||
                             (tokens_.at(Token::Kind::Name) && !is_reserved(tokens_.peek()));
  if (tokens_.skip("("))
    tested->arguments = arguments();
  else if (value_follows)
    tested->arguments.positional.push_back(postfix(primary()));
  if (!negated) return tested;
  auto opposite = std::make_unique<Unary>();
  opposite->symbol = "not";
  opposite->operand = std::move(tested);
  return opposite;
}

ArgumentList ExpressionParser::arguments() {
  ArgumentList all;
  while (!tokens_.skip(")")) {
    ExpressionPtr value = parse();
    const auto* name = dynamic_cast<const Name*>(value.get());
    if (name != nullptr && tokens_.skip("=")) {
      all.named.emplace_back(name->name, parse());
    } else {
      if (!all.named.empty()) tokens_.refuse("a value without a name follows one with a name");
      all.positional.push_back(std::move(value));
    }
    if (!tokens_.skip(",") && !tokens_.at(")")) tokens_.refuse("')' is needed");
  }
  return all;
}

ExpressionPtr ExpressionParser::primary() {
  const TokenReader::Level level(tokens_);
  if (tokens_.at(Token::Kind::String)) {
    std::string text = tokens_.take().text;
    while (tokens_.at(Token::Kind::String)) text += tokens_.take().text;
    return std::make_unique<Literal>(std::move(text));
  }
  if (tokens_.at(Token::Kind::Integer) || tokens_.at(Token::Kind::Real)) return number();
  if (tokens_.skip("[")) return list("]");
  if (tokens_.skip("{")) return mapping();
  if (tokens_.skip("(")) {
    if (tokens_.at(")")) return list(")");
    ExpressionPtr inside = parse_list();
    tokens_.expect(")");
    return inside;
  }
  if (!tokens_.at(Token::Kind::Name) || is_reserved(tokens_.peek()))
    tokens_.refuse(concat("a value is needed before '", tokens_.peek().text, "'"));
  const std::string name = tokens_.take().text;
  if (name == "true" || name == "True") return std::make_unique<Literal>(true);
  if (name == "false" || name == "False") return std::make_unique<Literal>(false);
  if (name == "none" || name == "None") return std::make_unique<Literal>(None{});
  return std::make_unique<Name>(name);
}

ExpressionPtr ExpressionParser::number() {
  const bool real = tokens_.at(Token::Kind::Real);
  const std::string text = tokens_.peek().text;
  const char* end = text.data() + text.size();
  std::int64_t whole = 0;
  double fraction = 0;
  const auto [stop, problem] =
      real ? std::from_chars(text.data(), end, fraction) : std::from_chars(text.data(), end, whole);
  if (problem != std::errc() || stop != end)
    tokens_.refuse(concat("the number ", text, " is too large"));
  tokens_.take();
  return real ? std::make_unique<Literal>(fraction) : std::make_unique<Literal>(whole);
}

ExpressionPtr ExpressionParser::list(std::string_view end) {
  auto all = std::make_unique<ListOf>();
  while (!tokens_.skip(end)) {
    all->elements.push_back(parse());
    if (!tokens_.skip(",") && !tokens_.at(end)) tokens_.refuse(concat("'", end, "' is needed"));
  }
  return all;
}

ExpressionPtr ExpressionParser::mapping() {
  auto all = std::make_unique<MappingOf>();
  while (!tokens_.skip("}")) {
    ExpressionPtr name = parse();
    tokens_.expect(":");
    all->fields.emplace_back(std::move(name), parse());
    if (!tokens_.skip(",") && !tokens_.at("}")) tokens_.refuse("'}' is needed");
  }
  return all;
}

}  // namespace allot::chat
