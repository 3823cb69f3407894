// Exact and safe evaluation of arithmetic in text: whole numbers, + - * /, brackets, spaces.
//
// For text that a model wrote, so any bytes are legal input: there is no recursion (two explicit
// stacks), values are exact rationals, and limits bound the work. Division by zero, overlong or
// malformed text give an error as a value; nothing here throws. No unary signs, no implicit
// multiplication, no decimal points.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace allot {

struct ExpressionLimits {
  std::size_t characters = 256;  // of the text
  std::size_t depth = 32;        // nested brackets
  std::size_t digits = 18;       // of one number, zeros in front included; at most 19
};

enum class ExpressionEnd : std::uint8_t { Value, DivisionByZero, Malformed };

struct Expression {
  ExpressionEnd end = ExpressionEnd::Value;
  std::string error;                   // why it has no value; empty: it has one
  std::string value;                   // in lowest terms: "24", "-3", "7/2"; empty on error
  std::vector<std::uint64_t> numbers;  // as written, left to right
  bool ok() const { return end == ExpressionEnd::Value; }
};

Expression evaluate_expression(std::string_view text, const ExpressionLimits& limits = {});

}  // namespace allot
