#include "allot/tasks/expression.h"

#include <optional>
#include <utility>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "allot/core/random.h"

namespace allot {
namespace {

std::string value_of(std::string_view text) {
  const Expression expression = evaluate_expression(text);
  return expression.ok() ? expression.value : "error: " + expression.error;
}

TEST(Expression, PrecedenceOrderAndBrackets) {
  EXPECT_EQ(value_of("7"), "7");
  EXPECT_EQ(value_of("2+3*4"), "14");
  EXPECT_EQ(value_of("(2+3)*4"), "20");
  EXPECT_EQ(value_of("10-4-3"), "3");
  EXPECT_EQ(value_of("10-(4-3)"), "9");
  EXPECT_EQ(value_of("48/4/3"), "4");
  EXPECT_EQ(value_of("48/(4/3)"), "36");
  EXPECT_EQ(value_of(" ( 1 + 2 )\t* 3 \n"), "9");
  EXPECT_EQ(value_of("((((5))))"), "5");
}

TEST(Expression, ExactFractions) {
  EXPECT_EQ(value_of("1/3"), "1/3");
  EXPECT_EQ(value_of("1/3+1/6"), "1/2");
  EXPECT_EQ(value_of("8/(3-8/3)"), "24");
  EXPECT_EQ(value_of("1/3*3"), "1");
  EXPECT_EQ(value_of("2-5"), "-3");
  EXPECT_EQ(value_of("(1-2)/4"), "-1/4");
  EXPECT_EQ(value_of("0/5"), "0");
}

TEST(Expression, BigValuesDoNotOverflow) {
  EXPECT_EQ(value_of("999999999999999999*999999999999999999"),
            "999999999999999998000000000000000001");
  EXPECT_EQ(value_of("999999999999999999*999999999999999999-999999999999999999*"
                     "999999999999999999+1"),
            "1");
}

TEST(Expression, NumbersAsWritten) {
  EXPECT_EQ(evaluate_expression("3*(8-007)+10").numbers, (std::vector<std::uint64_t>{3, 8, 7, 10}));
}

TEST(Expression, DivisionByZeroIsReadToItsEnd) {
  const Expression zero = evaluate_expression("1/(2-2)+7");
  EXPECT_EQ(zero.end, ExpressionEnd::DivisionByZero);
  EXPECT_EQ(zero.error, "it divides by zero");
  EXPECT_EQ(zero.numbers, (std::vector<std::uint64_t>{1, 2, 2, 7}));
  EXPECT_TRUE(zero.value.empty());
  EXPECT_EQ(evaluate_expression("1/0+").end, ExpressionEnd::Malformed);
  EXPECT_EQ(evaluate_expression("0/0").end, ExpressionEnd::DivisionByZero);
}

TEST(Expression, MalformedTextHasAReason) {
  for (const char* text :
       {"",     " ",      "+",     "-1",          "1+",   "1++2", "1 2", "(1",  "1)",
        "()",   "(1)(2)", "2(3)",  "1+*2",        "1.5",  "a",    "1e3", "1=1", "(1+2",
        "1+2)", ")(",     "12;24", "1 +\xC3\xA9", "\xFF", "(",    "((",  "*"}) {
    const Expression expression = evaluate_expression(text);
    EXPECT_EQ(expression.end, ExpressionEnd::Malformed) << text;
    EXPECT_FALSE(expression.error.empty()) << text;
    EXPECT_TRUE(expression.value.empty()) << text;
  }
  EXPECT_EQ(evaluate_expression("1+").error, "it ends too early");
  EXPECT_EQ(evaluate_expression("(1").error, "a bracket is not closed");
  EXPECT_EQ(evaluate_expression(std::string_view("1\0", 2)).error,
            "byte 0 stands where an operation is needed");
}

TEST(Expression, LimitsAreKept) {
  const ExpressionLimits limits;
  EXPECT_TRUE(evaluate_expression(std::string(limits.characters, '1').substr(0, 18)).ok());
  EXPECT_FALSE(evaluate_expression("1111111111111111111").ok());  // 19 digits
  const std::string nested = std::string(32, '(') + "1" + std::string(32, ')');
  EXPECT_TRUE(evaluate_expression(nested).ok());
  EXPECT_FALSE(evaluate_expression("(" + nested + ")").ok());
  EXPECT_FALSE(evaluate_expression(std::string(1'000'000, '(')).ok());
  std::string sum = "1";
  while (sum.size() + 2 <= limits.characters) sum += "+1";
  EXPECT_TRUE(evaluate_expression(sum).ok());
  EXPECT_FALSE(evaluate_expression(sum + "+1").ok());
  // A caller's own limits: 19 digits are the most that 64 bits hold, whatever is asked for.
  EXPECT_EQ(evaluate_expression("9999999999999999999", {64, 4, 100}).value, "9999999999999999999");
  EXPECT_FALSE(evaluate_expression("99999999999999999999", {64, 4, 100}).ok());
}

// Remainder of a decimal numeral, digit by digit.
std::uint64_t remainder_of(std::string_view numeral, std::uint64_t modulus) {
  std::uint64_t rest = 0;
  for (const char c : numeral) rest = (rest * 10 + static_cast<std::uint64_t>(c - '0')) % modulus;
  return rest;
}

// The largest value that the limits allow: 13 numbers of 18 digits multiplied.
TEST(Expression, LargestLegalProductIsExact) {
  constexpr std::uint64_t kPrime = 1'000'003;
  std::string product = "999999999999999998";
  const std::uint64_t factor = remainder_of(product, kPrime);
  std::uint64_t expected = factor;
  while (product.size() + 19 <= ExpressionLimits{}.characters) {
    product += "*999999999999999998";
    expected = expected * factor % kPrime;
  }
  const std::string value = value_of(product);
  EXPECT_EQ(value.size(), 13u * 18u);
  EXPECT_EQ(remainder_of(value, kPrime), expected);
}

// ---- an independent oracle: a random tree, evaluated while it is built in checked fractions ----

struct Fraction {
  __int128 top = 0, bottom = 1;
};

struct Node {
  std::string text;
  std::optional<Fraction> value;  // none: divided by zero
};

Fraction reduced(__int128 top, __int128 bottom) {
  __int128 a = top < 0 ? -top : top, b = bottom;
  while (b != 0) a = std::exchange(b, a % b);
  if (a == 0) a = 1;
  return {top / a, bottom / a};
}

// Depth 3 has at most 8 leaves of one digit, so 64 bits would do.
Node random_node(int depth, RandomStream& random) {
  if (depth == 0 || random.below(4) == 0) {
    const auto number = static_cast<std::int64_t>(random.below(10));
    return {std::to_string(number), Fraction{number, 1}};
  }
  const Node a = random_node(depth - 1, random), b = random_node(depth - 1, random);
  const char operation = "+-*/"[random.below(4)];
  Node node;
  node.text = "(" + a.text + (random.below(2) == 1 ? " " : "") + operation + b.text + ")";
  if (!a.value || !b.value || (operation == '/' && b.value->top == 0)) return node;
  const auto [at, ab] = *a.value;
  const auto [bt, bb] = *b.value;
  if (operation == '+') node.value = reduced(at * bb + bt * ab, ab * bb);
  if (operation == '-') node.value = reduced(at * bb - bt * ab, ab * bb);
  if (operation == '*') node.value = reduced(at * bt, ab * bb);
  if (operation == '/')
    node.value = bt > 0 ? reduced(at * bb, ab * bt) : reduced(-at * bb, ab * -bt);
  return node;
}

std::string printed(const Fraction& value) {
  std::string text = std::to_string(static_cast<long long>(value.top));
  if (value.bottom != 1) text += "/" + std::to_string(static_cast<long long>(value.bottom));
  return text;
}

TEST(Expression, AgreesWithAnIndependentEvaluation) {
  int with_value = 0;
  for (std::uint64_t i = 0; i < 20000; ++i) {
    RandomStream random({1, RandomUse::Test, 0, i});
    const Node node = random_node(3, random);
    const Expression expression = evaluate_expression(node.text);
    ASSERT_EQ(expression.ok(), node.value.has_value()) << node.text;
    if (!node.value) {
      ASSERT_EQ(expression.end, ExpressionEnd::DivisionByZero) << node.text;
      continue;
    }
    ++with_value;
    ASSERT_EQ(expression.value, printed(*node.value)) << node.text;
  }
  EXPECT_GT(with_value, 10000);
}

// Without brackets: sums of products, by splitting at signs. Independent of any stack.
TEST(Expression, FlatTextMeansSumOfProducts) {
  for (std::uint64_t i = 0; i < 5000; ++i) {
    RandomStream random({2, RandomUse::Test, 0, i});
    std::int64_t sum = 0, product = static_cast<std::int64_t>(random.below(10));
    std::string text = std::to_string(product);
    for (std::uint64_t k = random.below(10); k > 0; --k) {
      const char operation = "+-*"[random.below(3)];
      const auto number = static_cast<std::int64_t>(random.below(10));
      text += operation + std::to_string(number);
      if (operation == '*') {
        product *= number;
      } else {
        sum += product;
        product = operation == '+' ? number : -number;
      }
    }
    ASSERT_EQ(value_of(text), std::to_string(sum + product)) << text;
  }
}

TEST(Expression, AnyBytesAreLegalInput) {
  constexpr std::string_view kLikely = "0123456789+-*/() ";
  int ok = 0;
  for (std::uint64_t i = 0; i < 60000; ++i) {
    RandomStream random({3, RandomUse::Test, 0, i});
    std::string text(random.below(i % 3 == 0 ? 300 : 12), '\0');
    for (char& c : text)
      c = i % 2 == 0 ? kLikely[random.below(kLikely.size())] : static_cast<char>(random.below(256));
    const Expression expression = evaluate_expression(text);
    ASSERT_EQ(expression.ok(), expression.error.empty());
    ASSERT_EQ(expression.ok(), !expression.value.empty());
    ok += expression.ok();
  }
  EXPECT_GT(ok, 100);
}

TEST(Expression, BracketsAroundAnyTextChangeNothingButDepth) {
  const bool holds = rc::check([] {
    const std::string text =
        *rc::gen::container<std::string>(rc::gen::elementOf(std::string("12+-*/()0 ")));
    const Expression plain = evaluate_expression(text);
    const Expression wrapped = evaluate_expression("(" + text + ")");
    if (plain.ok()) RC_ASSERT(wrapped.value == plain.value);
  });
  EXPECT_TRUE(holds);
}

}  // namespace
}  // namespace allot
