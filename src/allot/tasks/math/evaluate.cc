#include "allot/tasks/math/evaluate.h"

#include <algorithm>
#include <cmath>

namespace allot::verify {
namespace {

constexpr std::uint64_t kElementary = 300;  // steps of an elementary function
constexpr std::uint64_t kArithmetic = 6;

Complex real(Ball value) { return {std::move(value), {}, true}; }

}  // namespace

std::optional<Rational> plain_rational(Tree tree, Work& work) {
  work.spend(1);
  const Node& node = tree.node();
  std::vector<Rational> kids;
  if (node.op == Op::Number || node.op == Op::BaseNumeral) return node.value;
  if (node.op != Op::Add && node.op != Op::Multiply && node.op != Op::Divide &&
      node.op != Op::Negate)
    return std::nullopt;
  for (std::size_t i = 0; i < node.kids.size(); ++i) {
    const auto kid = plain_rational(tree.kid(i), work);
    if (!kid) return std::nullopt;
    kids.push_back(*kid);
  }
  Rational value = kids[0];
  if (node.op == Op::Negate) value = -value;
  if (node.op == Op::Divide) {
    if (kids[1] == 0) return std::nullopt;
    value /= kids[1];
  }
  for (std::size_t i = 1; i < kids.size(); ++i) {
    if (node.op == Op::Add) value += kids[i];
    if (node.op == Op::Multiply) value *= kids[i];
  }
  return bounded(std::move(value), work);
}

Complex Evaluator::symbol(const std::string& name) {
  if (name == "pi") return real(pi());
  if (name == "e") {
    work_.spend(kElementary);
    return real(exp(ball(1)));
  }
  if (reading_.imaginary && (name == "i" || name == "I")) return {{}, ball(1), false};
  const std::string& meant = name == reading_.constant_of_integration ? "C" : name;
  for (const auto& [known, value] : point_)
    if (known == meant) return real(ball(value));
  throw NoValue{};
}

Complex Evaluator::of(Tree tree) {
  work_.spend(kArithmetic);
  const Node& node = tree.node();
  switch (node.op) {
    case Op::Number:
    case Op::BaseNumeral:
      return real(ball(node.value));
    case Op::Symbol:
      return symbol(node.name);
    case Op::Add: {
      Complex sum = of(tree.kid(0));
      for (std::size_t i = 1; i < node.kids.size(); ++i) sum = sum + of(tree.kid(i));
      return sum;
    }
    case Op::Multiply: {
      Complex product = of(tree.kid(0));
      for (std::size_t i = 1; i < node.kids.size(); ++i) product = product * of(tree.kid(i));
      return product;
    }
    case Op::Divide:
      return of(tree.kid(0)) / of(tree.kid(1));
    case Op::Negate:
      return real({}) - of(tree.kid(0));
    case Op::Power:
      return power(tree);
    case Op::Function:
      return function(tree);
    case Op::Factorial:
      return factorial(of(tree.kid(0)));
    case Op::Degree:
      return of(tree.kid(0)) * real(pi()) / real(ball(180));
    default:
      throw NoValue{};
  }
}

Complex Evaluator::power(Tree tree) {
  Complex base = of(tree.kid(0));
  if (const auto exponent = plain_rational(tree.kid(1), work_)) {
    if (const auto n = small(*exponent)) {
      if (std::abs(*n) > 100000) throw NoValue{};
      return verify::power(base, *n);
    }
    if (base.real && base.re.middle == 0 && base.re.radius == 0 && *exponent > 0) return base;
    work_.spend(2 * kElementary);
    const auto by_log = [&](const Ball& positive) {
      return *exponent == Rational(1, 2) ? sqrt(positive) : exp(log(positive) * ball(*exponent));
    };
    if (base.real && surely_positive(base.re)) return real(by_log(base.re));
    const bool odd = denominator(*exponent) % 2 != 0;
    if (base.real && surely_negative(base.re) && odd) {
      const Ball size = by_log(-base.re);
      return real(numerator(*exponent) % 2 != 0 ? -size : size);
    }
    if (base.real && surely_negative(base.re) && *exponent == Rational(1, 2))
      return {{}, sqrt(-base.re), false};
    return exp(log(base) * real(ball(*exponent)));
  }
  const Complex exponent = of(tree.kid(1));
  work_.spend(2 * kElementary);
  // A negative base to a whole number that is a variable's value.
  if (exponent.real && exponent.re.radius == 0 && exponent.re.middle == floor(exponent.re.middle) &&
      abs(exponent.re.middle) < 1000)
    return verify::power(base, static_cast<int>(exponent.re.middle));
  return exp(log(base) * exponent);
}

Complex Evaluator::sine(const Complex& argument, bool cosine) {
  work_.spend(kElementary);
  if (argument.real) return real(cosine ? cos(argument.re) : sin(argument.re));
  work_.spend(3 * kElementary);
  const Ball up = exp(argument.im), down = exp(-argument.im);
  const Ball cosh = (up + down) / ball(2), sinh = (up - down) / ball(2);
  if (cosine) return {cos(argument.re) * cosh, -(sin(argument.re) * sinh), false};
  return {sin(argument.re) * cosh, cos(argument.re) * sinh, false};
}

Ball Evaluator::arcus(const std::string& name, const Complex& argument) {
  if (!argument.real) throw NoValue{};
  work_.spend(2 * kElementary);
  const Ball& x = argument.re;
  if (name == "arctan") return atan(x);
  if (name == "arccot") return pi() / ball(2) - atan(x);
  const Ball rest = ball(1) - x * x;
  Ball sine;
  if (rest.middle == 0 && rest.radius == 0)
    sine = x.middle > 0 ? pi() / ball(2) : -(pi() / ball(2));
  else
    sine = atan(x / sqrt(rest));
  return name == "arcsin" ? sine : pi() / ball(2) - sine;
}

Complex Evaluator::factorial(const Complex& argument) {
  const Ball& n = argument.re;
  if (!argument.real || n.radius > 0 || n.middle < 0 || n.middle > 100 ||
      n.middle != floor(n.middle))
    throw NoValue{};
  Ball product = ball(1);
  for (int i = 2; i <= static_cast<int>(n.middle); ++i) {
    work_.spend(kArithmetic);
    product = product * ball(i);
  }
  return real(product);
}

Complex Evaluator::rounded(const Complex& argument, bool up) {
  if (!argument.real) throw NoValue{};
  const Ball& x = argument.re;
  const Real low = floor(x.middle - Real(x.radius)), high = floor(x.middle + Real(x.radius));
  const Real low_up = ceil(x.middle - Real(x.radius)), high_up = ceil(x.middle + Real(x.radius));
  if (up ? low_up != high_up : low != high) throw NoValue{};
  return real({up ? low_up : low, 0});
}

Complex Evaluator::function(Tree tree) {
  const std::string& name = tree.node().name;
  std::vector<Complex> arguments;
  for (std::size_t i = 0; i < tree.node().kids.size(); ++i) arguments.push_back(of(tree.kid(i)));
  if (name == "log_base" && arguments.size() == 2) {
    work_.spend(2 * kElementary);
    return log(arguments[0]) / log(arguments[1]);
  }
  if (arguments.size() != 1) throw NoValue{};
  const Complex& x = arguments[0];
  if (name == "sin" || name == "cos") return sine(x, name == "cos");
  if (name == "tan") return sine(x, false) / sine(x, true);
  if (name == "cot") return sine(x, true) / sine(x, false);
  if (name == "sec") return real(ball(1)) / sine(x, true);
  if (name == "csc") return real(ball(1)) / sine(x, false);
  if (name.starts_with("arc")) return real(arcus(name, x));
  if (name == "abs") return real(modulus(x));
  if (name == "floor" || name == "ceil") return rounded(x, name == "ceil");
  work_.spend(2 * kElementary);
  if (name == "exp") return exp(x);
  if (name == "ln") return log(x);
  if (name == "log") return log(x) * symbol("@log");
  if (name == "log10") return log(x) / log(real(ball(10)));
  if (name == "sinh" || name == "cosh" || name == "tanh") {
    const Complex up = exp(x), down = real(ball(1)) / up, two = real(ball(2));
    const Complex sinh = (up - down) / two, cosh = (up + down) / two;
    return name == "sinh" ? sinh : name == "cosh" ? cosh : sinh / cosh;
  }
  throw NoValue{};
}

}  // namespace allot::verify
