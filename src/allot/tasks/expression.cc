#include "allot/tasks/expression.h"

#include <algorithm>
#include <utility>

#include <boost/multiprecision/cpp_int.hpp>

#include "allot/core/error.h"

namespace allot {
namespace {

using Rational = boost::multiprecision::cpp_rational;

constexpr std::string_view kSpace = " \t\r\n";

int precedence(char operation) { return operation == '*' || operation == '/' ? 2 : 1; }
bool digit(char c) { return c >= '0' && c <= '9'; }
bool is_operation(char c) { return c == '+' || c == '-' || c == '*' || c == '/'; }

// A byte as it may stand in a message.
std::string shown(char c) {
  const auto byte = static_cast<unsigned char>(c);
  if (byte > 32 && byte < 127) return concat("'", c, "'");
  return concat("byte ", static_cast<int>(byte));
}

// Dijkstra's shunting-yard: one stack of values, one of operations and open brackets. An operand
// and an operation must alternate, so each operation finds its two values. Every value is a
// quotient of polynomials of the numbers in the text, so its digits are bounded by a small multiple
// of the text's length.
class Evaluator {
 public:
  Evaluator(std::string_view text, const ExpressionLimits& limits) : text_(text), limits_(limits) {
    limits_.digits = std::min<std::size_t>(limits_.digits, 19);  // what 64 bits hold
  }

  Expression run() {
    if (text_.size() > limits_.characters) {
      fail(concat("it has ", text_.size(), " characters; at most ", limits_.characters));
    } else {
      read();
    }
    if (result_.ok() && divided_by_zero_) {
      result_.end = ExpressionEnd::DivisionByZero;
      result_.error = "it divides by zero";
    } else if (result_.ok()) {
      const Rational& value = values_.back();
      result_.value = numerator(value).str();
      if (denominator(value) != 1) result_.value += "/" + denominator(value).str();
    }
    return std::move(result_);
  }

 private:
  void read() {
    bool want_operand = true;
    while (result_.ok() && at_ < text_.size()) {
      const char c = text_[at_];
      if (kSpace.find(c) != std::string_view::npos) {
        ++at_;
      } else if (want_operand) {
        want_operand = !read_operand(c);
      } else {
        want_operand = read_operation(c);
      }
    }
    if (!result_.ok()) return;
    if (want_operand) return fail(result_.numbers.empty() ? "it is empty" : "it ends too early");
    while (result_.ok() && !operations_.empty()) {
      if (operations_.back() == '(') return fail("a bracket is not closed");
      apply();
    }
  }

  // A number or an opening bracket; true if a whole operand was read.
  bool read_operand(char c) {
    if (c == '(') {
      if (++depth_ > limits_.depth) fail(concat("brackets nest deeper than ", limits_.depth));
      operations_.push_back(c);
      ++at_;
      return false;
    }
    if (!digit(c)) {
      fail(concat(shown(c), " stands where a number is needed"));
      return false;
    }
    const std::size_t begin = at_;
    while (at_ < text_.size() && digit(text_[at_])) ++at_;
    if (at_ - begin > limits_.digits) {
      fail(concat("a number has more than ", limits_.digits, " digits"));
      return false;
    }
    std::uint64_t number = 0;
    for (std::size_t i = begin; i < at_; ++i)
      number = number * 10 + static_cast<std::uint64_t>(text_[i] - '0');
    result_.numbers.push_back(number);
    values_.emplace_back(number);
    return true;
  }

  // An operation or a closing bracket; true if an operand must follow.
  bool read_operation(char c) {
    ++at_;
    if (c == ')') {
      while (result_.ok() && !operations_.empty() && operations_.back() != '(') apply();
      if (!result_.ok()) return false;
      if (operations_.empty()) {
        fail("a bracket is closed that was not opened");
        return false;
      }
      operations_.pop_back();
      --depth_;
      return false;
    }
    if (!is_operation(c)) {
      fail(concat(shown(c), " stands where an operation is needed"));
      return false;
    }
    while (result_.ok() && !operations_.empty() && operations_.back() != '(' &&
           precedence(operations_.back()) >= precedence(c))
      apply();
    operations_.push_back(c);
    return true;
  }

  void apply() {
    const char operation = operations_.back();
    operations_.pop_back();
    const Rational right = std::move(values_.back());
    values_.pop_back();
    Rational& left = values_.back();
    if (operation == '+') left += right;
    if (operation == '-') left -= right;
    if (operation == '*') left *= right;
    if (operation == '/' && right != 0) left /= right;
    if (operation == '/' && right == 0) divided_by_zero_ = true;  // the rest is still read
  }

  void fail(std::string reason) {
    result_.end = ExpressionEnd::Malformed;
    result_.error = std::move(reason);
  }

  std::string_view text_;
  ExpressionLimits limits_;
  std::size_t at_ = 0, depth_ = 0;
  bool divided_by_zero_ = false;
  std::vector<Rational> values_;
  std::vector<char> operations_;
  Expression result_;
};

}  // namespace

Expression evaluate_expression(std::string_view text, const ExpressionLimits& limits) {
  return Evaluator(text, limits).run();
}

}  // namespace allot
