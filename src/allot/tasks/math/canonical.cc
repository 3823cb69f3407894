#include "allot/tasks/math/canonical.h"

#include <algorithm>
#include <array>

namespace allot::verify {

Quotient Canonical::constant(const char* name) {
  return plain(algebra_.power_of(
      algebra_.atom({Atom::Kind::Constant, name, 0, true, true, nullptr}), exponent(1, 1)));
}

Quotient Canonical::imaginary_unit() {
  return plain(algebra_.power_of(
      algebra_.atom({Atom::Kind::Imaginary, "i", 0, false, true, nullptr}), exponent(1, 1)));
}

Quotient Canonical::symbol(const std::string& name) {
  if (name == "pi") return constant("pi");
  if (name == "e") return constant("e");
  if (reading_.imaginary && (name == "i" || name == "I")) return imaginary_unit();
  const std::string& meant = name == reading_.constant_of_integration ? "C" : name;
  return plain(algebra_.power_of(
      algebra_.atom({Atom::Kind::Symbol, "x:" + meant, 0, false, true, nullptr}), exponent(1, 1)));
}

Quotient Canonical::of(Tree tree) {
  algebra_.work().spend(1);
  const Node& node = tree.node();
  switch (node.op) {
    case Op::Number:
    case Op::BaseNumeral:
      return number(node.value);
    case Op::Symbol:
      return symbol(node.name);
    case Op::Opaque:
      return plain(algebra_.power_of(algebra_.atom({Atom::Kind::Function, "as written:" + node.name,
                                                    0, false, false, nullptr}),
                                     exponent(1, 1)));
    case Op::Infinity:
      throw Undefined{};
    case Op::Add: {
      Quotient sum = number(0);
      for (std::size_t i = 0; i < node.kids.size(); ++i) sum = algebra_.add(sum, of(tree.kid(i)));
      return sum;
    }
    case Op::Multiply: {
      Quotient product = number(1);
      for (std::size_t i = 0; i < node.kids.size(); ++i)
        product = algebra_.multiply(product, of(tree.kid(i)));
      return product;
    }
    case Op::Divide:
      return algebra_.divide(of(tree.kid(0)), of(tree.kid(1)));
    case Op::Negate:
      return algebra_.multiply(number(-1), of(tree.kid(0)));
    case Op::Power:
      return power(of(tree.kid(0)), of(tree.kid(1)));
    case Op::Function:
      return function(tree);
    case Op::Factorial:
      return factorial(of(tree.kid(0)));
    case Op::Degree:
      return algebra_.multiply(algebra_.multiply(of(tree.kid(0)), number(Rational(1, 180))),
                               constant("pi"));
    case Op::PlusMinus:
    case Op::MinusPlus:
      break;  // expanded before
  }
  throw Unreadable{};
}

Quotient Canonical::call(const std::string& name, const std::vector<Quotient>& arguments) {
  std::string key = name + "(";
  for (const Quotient& argument : arguments) (key += algebra_.key(argument)) += ',';
  Atom atom{Atom::Kind::Function, key, 0, false, false, nullptr};
  if (name == "ln") atom.inner = std::make_shared<const Quotient>(arguments[0]);
  atom.positive = name == "abs";
  return plain(algebra_.power_of(algebra_.atom(std::move(atom)), exponent(1, 1)));
}

Quotient Canonical::function(Tree tree) {
  const std::string& name = tree.node().name;
  std::vector<Quotient> arguments;
  for (std::size_t i = 0; i < tree.node().kids.size(); ++i) arguments.push_back(of(tree.kid(i)));
  const auto unary = [&](std::string_view wanted) {
    return name == wanted && arguments.size() == 1;
  };
  if (unary("ln")) return logarithm(arguments[0]);
  if (unary("log"))  // of an unknown base: a multiple of ln
    return algebra_.multiply(symbol("@log"), logarithm(arguments[0]));
  if (unary("log10")) return algebra_.divide(logarithm(arguments[0]), logarithm_of(10));
  if (name == "log_base" && arguments.size() == 2)
    return algebra_.divide(logarithm(arguments[0]), logarithm(arguments[1]));
  if (unary("exp")) return exponential(arguments[0]);
  if (unary("abs")) return absolute(arguments[0]);
  if (unary("floor") || unary("ceil")) return rounded(arguments[0], name);
  if ((name == "binomial") && arguments.size() == 2) {
    const Quotient rest = algebra_.add(arguments[0], arguments[1], -1);
    return algebra_.divide(factorial(arguments[0]),
                           algebra_.multiply(factorial(arguments[1]), factorial(rest)));
  }
  if (name == "gcd" || name == "lcm" || name == "max" || name == "min")
    return of_whole_numbers(name, arguments);
  if (arguments.size() == 1) return trigonometric(name, arguments[0]);
  return call(name, arguments);
}

Quotient Canonical::trigonometric(const std::string& name, const Quotient& argument) {
  const auto sin = [&] { return sine(argument, false); };
  const auto cos = [&] { return sine(argument, true); };
  if (name == "sin") return sin();
  if (name == "cos") return cos();
  if (name == "tan") return algebra_.divide(sin(), cos());
  if (name == "cot") return algebra_.divide(cos(), sin());
  if (name == "sec") return algebra_.divide(number(1), cos());
  if (name == "csc") return algebra_.divide(number(1), sin());
  if (name == "sinh" || name == "cosh" || name == "tanh") {
    const Quotient up = exponential(argument), down = algebra_.divide(number(1), up);
    const Quotient sinh = algebra_.multiply(algebra_.add(up, down, -1), number(Rational(1, 2)));
    const Quotient cosh = algebra_.multiply(algebra_.add(up, down), number(Rational(1, 2)));
    return name == "sinh" ? sinh : name == "cosh" ? cosh : algebra_.divide(sinh, cosh);
  }
  return call(name, {argument});
}

namespace {

// sin(k pi / 60) for the k of 0..30 with short radicals: (a sqrt(r) + b sqrt(s)) / 4.
struct Sine {
  int k, a, r, b, s;
};
constexpr std::array<Sine, 9> kSines = {{{0, 0, 1, 0, 1},
                                         {5, 1, 6, -1, 2},
                                         {6, 1, 5, -1, 1},
                                         {10, 2, 1, 0, 1},
                                         {15, 2, 2, 0, 1},
                                         {18, 1, 5, 1, 1},
                                         {20, 2, 3, 0, 1},
                                         {25, 1, 6, 1, 2},
                                         {30, 4, 1, 0, 1}}};

}  // namespace

Quotient Canonical::sine(const Quotient& argument, bool cosine) {
  const Quotient turns = algebra_.divide(argument, constant("pi"));
  const auto multiple = rational_of(turns);
  if (multiple) {
    Rational angle = *multiple;  // in half turns; cos x = sin(x + 1/2)
    if (cosine) angle += Rational(1, 2);
    angle -= 2 * floor_of(angle / 2);  // 0 .. 2
    int sign = 1;
    if (angle >= 1) {
      angle -= 1;
      sign = -1;
    }
    if (angle > Rational(1, 2)) angle = 1 - angle;
    const Rational sixtieth = angle * 60;
    for (const Sine& row : kSines) {
      if (sixtieth != row.k) continue;
      const auto part = [&](int factor, int radicand) {
        return algebra_.multiply(number(Rational(sign * factor, 4)),
                                 root_of_rational(radicand, exponent(1, 2)));
      };
      return algebra_.add(part(row.a, row.r), part(row.b, row.s));
    }
    return algebra_.multiply(number(sign),
                             call("sin", {algebra_.multiply(number(angle), constant("pi"))}));
  }
  // sin(-x) = -sin x, cos(-x) = cos x: the first coefficient is positive.
  const bool negative = !argument.top.empty() && argument.top.begin()->second < 0;
  const Quotient positive = negative ? algebra_.multiply(number(-1), argument) : argument;
  const Quotient value = call(cosine ? "cos" : "sin", {positive});
  return negative && !cosine ? algebra_.multiply(number(-1), value) : value;
}

Quotient Canonical::logarithm_of(const Rational& value) {
  if (value == 0) throw Undefined{};
  if (value < 0) {
    if (!reading_.imaginary) throw Undefined{};
    return algebra_.add(logarithm_of(-value), algebra_.multiply(imaginary_unit(), constant("pi")));
  }
  Quotient sum = number(0);
  for (const int sign : {1, -1}) {
    bool complete = true;
    const Integer part = sign > 0 ? numerator(value) : denominator(value);
    for (const auto& [prime, count] : factors(part, complete, algebra_.work())) {
      const Quotient term = call("ln", {number(Rational(prime))});
      sum = algebra_.add(sum, term, sign * count);
    }
  }
  return sum;
}

Quotient Canonical::logarithm(const Quotient& argument) {
  if (argument.top.empty()) throw Undefined{};
  if (const auto value = rational_of(argument)) return logarithm_of(*value);
  if (!rational_of(argument.bottom) || argument.top.size() != 1) return call("ln", {argument});
  // The logarithm of a product of positive numbers.
  const auto& [monomial, coefficient] = *argument.top.begin();
  if (coefficient < 0) return call("ln", {argument});
  Quotient sum = logarithm_of(coefficient);
  for (const auto& [id, power] : monomial) {
    const Atom& atom = algebra_[id];
    if (!atom.positive) return call("ln", {argument});
    const Quotient log = atom.key == "e" ? number(1)
                         : atom.kind == Atom::Kind::Prime
                             ? call("ln", {number(Rational(atom.prime))})
                             : call("ln", {plain(algebra_.power_of(id, exponent(1, 1)))});
    sum = algebra_.add(sum, log, Rational(power.top, power.bottom));
  }
  return sum;
}

Quotient Canonical::absolute(const Quotient& argument) {
  if (const auto value = rational_of(argument))
    return number(*value < 0 ? Rational(-*value) : *value);
  if (reading_.imaginary) return call("abs", {argument});
  if (rational_of(argument.bottom) && argument.top.size() == 1) {
    // A factor that is a number comes out.
    const auto& [monomial, coefficient] = *argument.top.begin();
    Monomial rest;
    Quotient outside = number(coefficient < 0 ? Rational(-coefficient) : coefficient);
    for (const auto& [id, power] : monomial) {
      if (algebra_[id].positive)
        outside = algebra_.multiply(outside, plain(algebra_.power_of(id, power)));
      else
        rest.emplace_back(id, power);
    }
    if (rest.empty()) return outside;
    return algebra_.multiply(outside, call("abs", {plain(Polynomial{{rest, Rational(1)}})}));
  }
  const bool negative = argument.top.begin()->second < 0;
  return call("abs", {negative ? algebra_.multiply(number(-1), argument) : argument});
}

Quotient Canonical::rounded(const Quotient& argument, const std::string& name) {
  if (const auto value = rational_of(argument))
    return number(name == "floor" ? floor_of(*value) : Rational(-floor_of(-*value)));
  return call(name, {argument});
}

Quotient Canonical::of_whole_numbers(const std::string& name,
                                     const std::vector<Quotient>& arguments) {
  std::vector<Rational> values;
  for (const Quotient& argument : arguments) {
    const auto value = rational_of(argument);
    if (!value) return call(name, arguments);
    values.push_back(*value);
  }
  if (values.empty()) throw Unreadable{};
  if (name == "max") return number(*std::max_element(values.begin(), values.end()));
  if (name == "min") return number(*std::min_element(values.begin(), values.end()));
  Integer result = name == "gcd" ? 0 : 1;
  for (const Rational& value : values) {
    if (!is_whole(value)) throw Undefined{};
    algebra_.work().spend(8);
    result = name == "gcd" ? Integer(gcd(result, numerator(value)))
                           : Integer(lcm(result, numerator(value)));
  }
  return number(bounded(Rational(abs(result)), algebra_.work()));
}

// (n + k)! = n! (n + 1) .. (n + k), so that factorials of neighbours have one atom.
Quotient Canonical::factorial(const Quotient& argument) {
  if (const auto value = rational_of(argument)) {
    const auto n = small(*value);
    if (n && *n < 0) throw Undefined{};
    if (!n || *n > 500) {
      algebra_.work().leave_symbolic();
      return call("factorial", {argument});
    }
    Integer product = 1;
    for (int i = 2; i <= *n; ++i) product *= i;
    algebra_.work().spend(static_cast<std::uint64_t>(*n) * 4);
    return number(bounded(Rational(product), algebra_.work()));
  }
  if (!rational_of(argument.bottom)) return call("factorial", {argument});
  const auto found = argument.top.find(Monomial{});
  const auto shift = found == argument.top.end() ? std::optional<int>(0) : small(found->second);
  if (!shift || std::abs(*shift) > 16) return call("factorial", {argument});
  const Quotient n = algebra_.add(argument, number(*shift), -1);
  Quotient product = number(1);
  for (int i = 1; i <= std::abs(*shift); ++i)
    product = algebra_.multiply(product, algebra_.add(n, number(*shift > 0 ? i : 1 - i)));
  const Quotient base = call("factorial", {n});
  return *shift >= 0 ? algebra_.multiply(base, product) : algebra_.divide(base, product);
}

}  // namespace allot::verify
