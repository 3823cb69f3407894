#include "allot/text/chat/lexer.h"

#include <algorithm>
#include <array>

#include "allot/core/error.h"

namespace allot::chat {
namespace {

bool is_space(char c) { return std::string_view(" \t\r\n\v\f").find(c) != std::string_view::npos; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

class Lexer {
 public:
  Lexer(std::string_view source, const std::string& file) : source_(source), file_(file) {}

  std::vector<Token> run() {
    if (source_.ends_with('\n')) source_.remove_suffix(1);
    while (at_ < source_.size()) {
      text();
      if (at_ < source_.size()) tag();
    }
    add(Token::Kind::End, "");
    return std::move(tokens_);
  }

 private:
  // Up to the next tag, whose opening decides about the blanks before it.
  void text() {
    std::size_t end = at_;
    while (end < source_.size() && !opens(end)) ++end;
    std::string_view text = source_.substr(at_, end - at_);
    std::string_view kept = text;
    if (after_minus_)
      while (!kept.empty() && is_space(kept.front())) kept.remove_prefix(1);
    const char mark = end + 2 < source_.size() ? source_[end + 2] : '\0';
    if (end < source_.size() && mark == '-') {
      while (!kept.empty() && is_space(kept.back())) kept.remove_suffix(1);
    } else if (end < source_.size() && source_[end + 1] != '{' && mark != '+') {
      strip_indent(kept, end);
    }
    if (!kept.empty()) add(Token::Kind::Text, std::string(kept));
    advance(end);
    after_minus_ = false;
  }

  // Blanks between the last line end, or the begin of the template, and a statement at `end`.
  void strip_indent(std::string_view& kept, std::size_t end) const {
    const std::string_view before = source_.substr(0, end);
    const std::size_t blank = before.find_last_not_of(" \t\v\f");
    if (blank != std::string_view::npos && before[blank] != '\n') return;
    const std::size_t begin = blank == std::string_view::npos ? 0 : blank + 1;
    kept.remove_suffix(std::min(kept.size(), end - begin));
  }

  bool opens(std::size_t at) const {
    const std::string_view two = source_.substr(at, 2);
    return two == "{{" || two == "{%" || two == "{#";
  }

  void tag() {
    const char kind = source_[at_ + 1];
    const std::size_t line = line_;
    advance(at_ + 2);
    if (kind == '#') return comment(line);
    if (at_ < source_.size() && (source_[at_] == '-' || source_[at_] == '+')) advance(at_ + 1);
    const bool statement = kind == '%';
    add(statement ? Token::Kind::OpenStatement : Token::Kind::OpenExpression, "");
    const std::string_view close = statement ? "%}" : "}}";
    depth_ = 0;
    for (;;) {
      while (at_ < source_.size() && is_space(source_[at_])) advance(at_ + 1);
      if (at_ >= source_.size()) refuse(line, "a tag is not closed");
      const std::string_view rest = source_.substr(at_);
      const bool minus = rest.starts_with('-') && rest.substr(1).starts_with(close);
      const bool plus = statement && rest.starts_with('+') && rest.substr(1).starts_with(close);
      if (depth_ == 0 && (minus || plus || rest.starts_with(close))) {
        add(statement ? Token::Kind::CloseStatement : Token::Kind::CloseExpression, "");
        advance(at_ + close.size() + (minus || plus ? 1 : 0));
        after_tag(minus, plus, statement);
        return;
      }
      token();
    }
  }

  void comment(std::size_t line) {
    const std::size_t end = source_.find("#}", at_);
    if (end == std::string_view::npos) refuse(line, "a comment is not closed");
    const bool minus = end > at_ && source_[end - 1] == '-';
    const bool plus = end > at_ && source_[end - 1] == '+';
    advance(end + 2);
    after_tag(minus, plus, true);
  }

  void after_tag(bool minus, bool plus, bool statement) {
    after_minus_ = minus;
    if (statement && !minus && !plus && at_ < source_.size() && source_[at_] == '\n')
      advance(at_ + 1);
  }

  void token() {
    const char c = source_[at_];
    if (c == '"' || c == '\'') return string(c);
    std::size_t end = at_;
    if (is_letter(c)) {
      while (end < source_.size() && (is_letter(source_[end]) || is_digit(source_[end]))) ++end;
      add(Token::Kind::Name, std::string(source_.substr(at_, end - at_)));
    } else if (is_digit(c)) {
      while (end < source_.size() && is_digit(source_[end])) ++end;
      const bool real =
          end + 1 < source_.size() && source_[end] == '.' && is_digit(source_[end + 1]);
      if (real) ++end;
      while (real && end < source_.size() && is_digit(source_[end])) ++end;
      if (end < source_.size() && (is_letter(source_[end]) || source_[end] == '_'))
        refuse(line_, "a number of this form is not supported");
      add(real ? Token::Kind::Real : Token::Kind::Integer,
          std::string(source_.substr(at_, end - at_)));
    } else {
      end = at_ + operator_length();
      const std::string_view text = source_.substr(at_, end - at_);
      if (std::string_view("([{").find(c) != std::string_view::npos) ++depth_;
      if (std::string_view(")]}").find(c) != std::string_view::npos && depth_ > 0) --depth_;
      add(Token::Kind::Operator, std::string(text));
    }
    advance(end);
  }

  std::size_t operator_length() const {
    constexpr std::array<std::string_view, 6> kLong = {"==", "!=", "<=", ">=", "//", "**"};
    for (const std::string_view two : kLong)
      if (source_.substr(at_).starts_with(two)) return 2;
    constexpr std::string_view kShort = "+-*/%~<>=.,:|()[]{}";
    if (kShort.find(source_[at_]) == std::string_view::npos)
      refuse(line_, concat("the character '", source_[at_], "' is not supported in a tag"));
    return 1;
  }

  void string(char quote) {
    const std::size_t line = line_;
    std::string text;
    std::size_t at = at_ + 1;
    for (; at < source_.size() && source_[at] != quote; ++at) {
      if (source_[at] != '\\') {
        text += source_[at];
        continue;
      }
      if (++at == source_.size()) break;
      constexpr std::string_view kLetters = "nrtbf\\'\"", kMeant = "\n\r\t\b\f\\'\"";
      const std::size_t letter = kLetters.find(source_[at]);
      if (letter == std::string_view::npos)
        refuse(line_, concat("the escape \\", source_[at], " is not supported"));
      text += kMeant[letter];
    }
    if (at >= source_.size()) refuse(line, "a text is not closed");
    add(Token::Kind::String, std::move(text));
    advance(at + 1);
  }

  void add(Token::Kind kind, std::string text) {
    tokens_.push_back({kind, std::move(text), line_});
  }
  void advance(std::size_t to) {
    line_ += static_cast<std::size_t>(std::count(source_.begin() + static_cast<std::ptrdiff_t>(at_),
                                                 source_.begin() + static_cast<std::ptrdiff_t>(to),
                                                 '\n'));
    at_ = to;
  }
  [[noreturn]] void refuse(std::size_t line, std::string_view what) const {
    throw Error(ErrorKind::Model, concat(file_, ":", line), what);
  }

  std::string_view source_;
  const std::string& file_;
  std::size_t at_ = 0, line_ = 1, depth_ = 0;
  bool after_minus_ = false;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokens_of(std::string_view source, const std::string& file) {
  if (source.find('\r') != std::string_view::npos) {  // Jinja reads every line end as \n
    std::string plain;
    for (std::size_t i = 0; i < source.size(); ++i) {
      if (source[i] == '\r' && source.substr(i + 1).starts_with('\n')) continue;
      plain += source[i] == '\r' ? '\n' : source[i];
    }
    return Lexer(plain, file).run();
  }
  return Lexer(source, file).run();
}

}  // namespace allot::chat
