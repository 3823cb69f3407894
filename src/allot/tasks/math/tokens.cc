#include "allot/tasks/math/tokens.h"

#include <algorithm>
#include <utility>

#include "allot/tasks/math/commands.h"
#include "allot/tasks/math/normalise.h"
#include "allot/tasks/math/numeral.h"

namespace allot::verify {
namespace {

using K = TokenKind;

class Tokenizer {
 public:
  Tokenizer(std::string_view text, Work& work) : text_(text), work_(work) {}

  std::vector<Token> run() {
    const auto dollars = std::count(text_.begin(), text_.end(), '$');
    odd_dollars_ = dollars % 2 != 0;
    while (at_ < text_.size()) step();
    read_crosses();
    return std::move(tokens_);
  }

 private:
  void step() {
    const char c = text_[at_];
    if (is_space(c) || c == '~') {
      ++at_;
      space_ = true;
    } else if (is_digit(c) || (c == '.' && at_ + 1 < text_.size() && is_digit(text_[at_ + 1]))) {
      number();
    } else if (is_letter(c)) {
      letters();
    } else if (c == '\\') {
      command();
    } else if (static_cast<unsigned char>(c) >= 0x80) {
      foreign();
    } else {
      sign(c);
    }
  }

  Token& push(K kind, std::string_view text) {
    if (tokens_.size() >= kTokens) throw LimitReached{};
    work_.spend(2);
    tokens_.push_back({kind});
    tokens_.back().space_before = std::exchange(space_, false);
    tokens_.back().text = text;
    if (kind == K::Open && text != "{") ++brackets_;
    if (kind == K::Close && text != "}") --brackets_;
    return tokens_.back();
  }

  void number() {
    const bool in_brackets = brackets_ > 0 || environments_ > 0;
    // A subscript is one numeral: \log_2 125 has two.
    std::string_view text = text_.substr(at_);
    if (!tokens_.empty() && tokens_.back().kind == K::Under)
      text = text.substr(0, text.find_first_not_of("0123456789"));
    const Numeral numeral = read_numeral(text, in_brackets);
    at_ += numeral.length;
    Token& token = push(K::Number, numeral.digits);
    token.repeat = static_cast<std::uint16_t>(numeral.repeat);
    token.grouped = numeral.grouped;
  }

  // A letter of another alphabet is a symbol; signs of East Asian scripts are words.
  void foreign() {
    const std::size_t begin = at_;
    std::size_t end = at_;
    const bool word = next_code_point(text_, end) >= 0x2E80;
    at_ = end;
    while (word && at_ < text_.size() && static_cast<unsigned char>(text_[at_]) >= 0x80 &&
           next_code_point(text_, end) >= 0x2E80)
      at_ = end;
    push(word ? K::Word : K::Symbol, text_.substr(begin, at_ - begin));
  }

  // "2 x 9" is a product of numbers.
  void read_crosses() {
    for (std::size_t i = 1; i + 1 < tokens_.size(); ++i)
      if ((tokens_[i].text == "x" || tokens_[i].text == "X") && tokens_[i].space_before &&
          tokens_[i + 1].space_before && tokens_[i - 1].kind == K::Number &&
          tokens_[i + 1].kind == K::Number)
        tokens_[i] = {K::Times, true, false, 0, false, "*"};
  }

  void letters() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && is_letter(text_[at_])) ++at_;
    std::string_view run = text_.substr(begin, at_ - begin);
    if (run.size() == 1) {
      // Plain names such as x1.
      while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
      push(K::Symbol, text_.substr(begin, at_ - begin));
      return;
    }
    if (const auto known = find_plain(run)) {
      push(known->kind, known->text);
      return;
    }
    // "sinx": a function and its argument.
    const std::string_view head = run.substr(0, run.size() - 1);
    if (is_function_name(head) && head != "min" && head != "max" && head != "det") {
      push(K::Function, head);
      push(K::Symbol, run.substr(run.size() - 1));
      return;
    }
    push(K::Word, run);
  }

  void command() {
    ++at_;
    if (at_ == text_.size()) return;  // a lone backslash at the end
    if (text_[at_] == '\\') {
      ++at_;
      if (!doubled()) return row();
    }
    const std::size_t begin = at_;
    if (is_letter(text_[at_]))
      while (at_ < text_.size() && is_letter(text_[at_])) ++at_;
    else
      ++at_;
    const std::string_view name = text_.substr(begin, at_ - begin);
    if (name == "begin" || name == "end") return environment(name == "begin");
    if (name == "mathbb") return number_set();
    std::optional<Command> known = find_command(name);
    if (!known) {
      const std::string_view prefix = known_prefix(name);
      if (prefix.empty()) throw Unreadable{};
      at_ = begin + prefix.size();
      known = find_command(prefix);
    }
    handle(*known);
  }

  void handle(const Command& command) {
    switch (command.handling) {
      case Handling::Token:
        push(command.kind, command.text);
        break;
      case Handling::Skip:
        space_ = true;
        break;
      case Handling::Wrapper:
        wrapper(argument());
        break;
      case Handling::SkipWithArgument:
        argument();
        break;
      case Handling::Delimiter:
        if (at_ < text_.size() && text_[at_] == '.') ++at_;
        break;
    }
  }

  void row() { push(K::Row, "\\\\"); }

  // Behind a doubled backslash: a known command, outside of a matrix, was escaped twice.
  bool doubled() const {
    std::size_t end = at_;
    while (end < text_.size() && is_letter(text_[end])) ++end;
    const std::string_view name = text_.substr(at_, end - at_);
    return environments_ == 0 && !name.empty() &&
           (find_command(name).has_value() || name == "begin");
  }

  // The text of a group in braces, or of one letter.
  std::string_view argument() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
    if (at_ == text_.size()) return {};
    if (text_[at_] != '{') return text_.substr(at_++, 1);
    int depth = 0;
    const std::size_t begin = ++at_;
    for (; at_ < text_.size(); ++at_) {
      if (text_[at_] == '\\') {
        ++at_;
        continue;
      }
      if (text_[at_] == '{') ++depth;
      if (text_[at_] == '}' && depth-- == 0) return text_.substr(begin, at_++ - begin);
    }
    throw Unreadable{};
  }

  void environment(bool begins) {
    std::string_view name = argument();
    if (!name.empty() && name.back() == '*') name.remove_suffix(1);
    environments_ += begins ? 1 : -1;
    if (begins && name == "array") argument();
    push(begins ? K::Begin : K::End, name);
  }

  void number_set() {
    const std::string_view name = argument();
    if (name == "R")
      push(K::Reals, "R");
    else
      push(K::Symbol, concat_set(name));
  }
  static std::string concat_set(std::string_view name) { return "set:" + std::string(name); }

  // Text is read as mathematics where it is: a number, a letter, a name.
  void wrapper(std::string_view content) {
    const bool space_inside = !content.empty() && is_space(content.front());
    space_ |= space_inside;
    const std::string_view inner = strip(content);
    if (inner.empty()) {
      space_ = true;
      return;
    }
    std::string_view word = inner;
    while (!word.empty() && (word.front() == ',' || is_space(word.front()))) word.remove_prefix(1);
    const auto known = find_plain(lower(word));
    if (known && (known->kind != K::Symbol || word.size() > 1)) {
      if (word.size() < inner.size()) push(K::Comma, ",");
      push(known->kind, known->text).wrapped = true;
      space_ = true;
      return;
    }
    const bool letters = std::any_of(inner.begin(), inner.end(), is_letter);
    const bool foreign = std::any_of(inner.begin(), inner.end(),
                                     [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
    if ((!letters && !foreign) || inner.find('\\') != std::string_view::npos ||
        inner.find('$') != std::string_view::npos || is_bracketed_letter(inner)) {
      nested(inner);
      return;
    }
    if (inner.size() == 1)
      push(K::Symbol, inner).wrapped = true;
    else
      push(K::Text, inner).wrapped = true;
    space_ |= is_space(content.back());
  }

  static bool is_bracketed_letter(std::string_view text) {
    return text.size() == 3 && text[0] == '(' && text[2] == ')';
  }

  void nested(std::string_view content) {
    if (++nesting_ > kDepth) throw LimitReached{};
    const std::string_view outer = std::exchange(text_, content);
    const std::size_t at = std::exchange(at_, 0);
    while (at_ < text_.size()) step();
    text_ = outer;
    at_ = at;
    --nesting_;
  }

  void sign(char c) {
    const std::string_view rest = text_.substr(at_);
    constexpr std::pair<std::string_view, std::string_view> kRelations[] = {
        {"<=", "<="}, {">=", ">="}, {"=<", "<="}, {"=>", ">="}, {"!=", "!="},
        {"==", "="},  {"<", "<"},   {">", ">"},   {"=", "="}};
    for (const auto& [spelled, text] : kRelations)
      if (rest.starts_with(spelled)) {
        at_ += spelled.size();
        push(K::Relation, text);
        return;
      }
    if (rest.starts_with("...")) {
      at_ += 3;
      push(K::Dots, "...");
      return;
    }
    if (rest.starts_with("**")) {
      at_ += 2;
      push(K::Caret, "^");
      return;
    }
    ++at_;
    single_sign(c);
  }

  void single_sign(char c) {
    struct Simple {
      char sign;
      K kind;
    };
    constexpr Simple kSimple[] = {
        {'+', K::Plus},  {'-', K::Minus}, {'*', K::Times},     {'/', K::Slash},    {'^', K::Caret},
        {'_', K::Under}, {'!', K::Bang},  {'\'', K::Prime},    {'|', K::Bar},      {'(', K::Open},
        {'[', K::Open},  {'{', K::Open},  {')', K::Close},     {']', K::Close},    {'}', K::Close},
        {',', K::Comma}, {':', K::Colon}, {'&', K::Ampersand}, {';', K::Semicolon}};
    for (const Simple& simple : kSimple)
      if (simple.sign == c) {
        push(simple.kind, std::string_view(&c, 1));
        return;
      }
    if (c == '$') return dollar();
    if (c == '%') return percent();
    if (c == '"' || c == '`') {
      space_ = true;
      return;
    }
    if (c == '.') return point();
    throw Unreadable{};
  }

  // A math delimiter, unless it stands alone before a number.
  void dollar() {
    if (odd_dollars_ && at_ < text_.size() && (is_digit(text_[at_]) || text_[at_] == '.')) {
      odd_dollars_ = false;
      push(K::Currency, "$");
    }
  }

  // A percent sign after a value; else a comment up to the end of the line.
  void percent() {
    if (!tokens_.empty() && (tokens_.back().kind == K::Number || tokens_.back().kind == K::Close)) {
      push(K::Percent, "%");
      return;
    }
    while (at_ < text_.size() && text_[at_] != '\n') ++at_;
  }

  // A full stop says nothing at the end; inside, it ends a word or nothing that can be read.
  void point() {
    const bool after_word =
        !tokens_.empty() && (tokens_.back().kind == K::Word || tokens_.back().kind == K::Text ||
                             tokens_.back().kind == K::Currency);
    if (after_word) {
      space_ = true;
      return;
    }
    for (std::size_t i = at_; i < text_.size(); ++i)
      if (!is_space(text_[i]) && text_[i] != '$' && text_[i] != '}' && text_[i] != '.' &&
          !text_.substr(i).starts_with("\\)") && !text_.substr(i).starts_with("\\]"))
        throw Unreadable{};
  }

  std::string_view text_;
  Work& work_;
  std::size_t at_ = 0;
  int brackets_ = 0, environments_ = 0, nesting_ = 0;
  bool space_ = false, odd_dollars_ = false;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(std::string_view answer, Work& work) {
  work.spend(1 + answer.size() / 8);
  return Tokenizer(answer, work).run();
}

std::string spelling(const std::vector<Token>& tokens) {
  std::string out;
  for (const Token& token : tokens) {
    if (token.kind == TokenKind::Text || token.kind == TokenKind::Word) out += ' ';
    out += token.text;
    if (token.repeat > 0) (out += '~') += std::to_string(token.repeat);
    if (token.kind == TokenKind::Number || token.kind == TokenKind::Symbol) out += ' ';
  }
  return out;
}

}  // namespace allot::verify
