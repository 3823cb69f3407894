// Powers and roots in canonical form.
#include <algorithm>
#include <numeric>

#include "allot/tasks/math/canonical.h"

namespace allot::verify {

std::vector<std::pair<Integer, int>> factors(Integer n, bool& complete, Work& work) {
  std::vector<std::pair<Integer, int>> found;
  complete = true;
  // 2, 3 and 6k +- 1 up to 2^12; what remains is prime if it is below 2^24.
  const auto take = [&](unsigned p) {
    int count = 0;
    while (n % p == 0) {
      n /= p;
      ++count;
      work.spend(1 + bits(n) / 64);
    }
    if (count > 0) found.emplace_back(p, count);
  };
  for (unsigned p = 2; p < 4096 && n > 1; p += p == 2 ? 1 : p == 3 ? 2 : (p % 6 == 5 ? 2 : 4)) {
    work.spend(1 + bits(n) / 256);
    if (Integer(p) * p > n) break;
    take(p);
  }
  if (n == 1) return found;
  complete = n < (1 << 24);
  if (!complete) {
    // A square is common: sqrt of a large square.
    const Integer side = sqrt(n);
    if (side * side == n) {
      found.emplace_back(side, 2);
      return found;
    }
  }
  found.emplace_back(n, 1);
  return found;
}

Quotient Canonical::power(const Quotient& base, const Quotient& exponent_value) {
  const auto value = rational_of(exponent_value);
  if (!value) return symbolic_power(base, exponent_value);
  if (base.top.empty()) {
    if (*value <= 0) throw Undefined{};
    return base;
  }
  if (const auto n = small(*value)) return whole_power(base, *n);
  const auto top = small(Rational(numerator(*value))),
             bottom = small(Rational(denominator(*value)));
  if (!top || !bottom) {
    // An exponent of many digits: only 1 to the power of it is known.
    if (rational_of(base) == Rational(1)) return base;
    if (rational_of(base)) algebra_.work().leave_symbolic();
    return call("power", {base, exponent_value});
  }
  return root(base, exponent(*top, *bottom));
}

// Multiplied out where that stays small; else an atom that is the monic polynomial's power.
Polynomial Canonical::base_power(Polynomial base, Exponent power) {
  Rational lead = base.begin()->second;
  if (!power.whole() && lead < 0 && power.bottom % 2 == 0) lead = -lead;  // the sign stays inside
  for (auto& [monomial, coefficient] : base) coefficient /= lead;
  Atom atom{Atom::Kind::Base, "base:" + algebra_.key(base), 0, false, false, nullptr};
  atom.inner = std::make_shared<const Quotient>(Quotient{base, one()});
  const AtomId id = algebra_.atom(std::move(atom));
  const Quotient factor =
      power.whole() ? number(*verify::power(lead, static_cast<int>(power.top), algebra_.work()))
                    : root_of_rational(lead, power);
  return algebra_.multiply(algebra_.power_of(id, power), factor.top);
}

Quotient Canonical::whole_power(const Quotient& base, int n) {
  if (n < 0) return whole_power(algebra_.quotient(base.bottom, base.top), n == -n ? 0 : -n);
  if (const auto value = rational_of(base)) {
    const std::size_t length = std::max(bits(numerator(*value)), bits(denominator(*value)));
    if (*value != 1 && *value != -1 && (length - 1) * static_cast<std::size_t>(n) > kIntegerBits)
      return huge_power(*value, n);
  }
  const auto raise = [&](const Polynomial& p) {
    return algebra_.can_raise(p, n) ? algebra_.raise(p, n) : base_power(p, exponent(n, 1));
  };
  return algebra_.quotient(raise(base.top), raise(base.bottom));
}

// A number too long to write out stays a product of powers of its primes.
Quotient Canonical::huge_power(const Rational& base, int n) {
  algebra_.work().leave_symbolic();
  Quotient out = number(base < 0 && n % 2 != 0 ? -1 : 1);
  for (const int sign : {1, -1}) {
    bool complete = true;
    const Integer part = abs(sign > 0 ? numerator(base) : denominator(base));
    for (const auto& [prime, count] : factors(part, complete, algebra_.work())) {
      const AtomId id =
          algebra_.atom({Atom::Kind::Function, "huge:" + prime.str(), 0, true, false, nullptr});
      out = algebra_.multiply(
          out, plain(algebra_.power_of(id, exponent(sign * count, 1) * exponent(n, 1))));
    }
  }
  return out;
}

Quotient Canonical::root_of_rational(Rational value, Exponent power) {
  Quotient out = number(1);
  if (value < 0) {
    value = -value;
    if (power.bottom % 2 != 0) {
      if (power.top % 2 != 0) out = number(-1);
    } else if (power.bottom == 2) {
      out = whole_power(imaginary_unit(), static_cast<int>(((power.top % 4) + 4) % 4));
    } else {
      out = call("unit root", {number(Rational(power.top, power.bottom))});
    }
  }
  for (const int sign : {1, -1}) {
    bool complete = true;
    const Integer part = sign > 0 ? numerator(value) : denominator(value);
    const auto found = factors(part, complete, algebra_.work());
    for (const auto& [prime, count] : found) {
      const bool last = &prime == &found.back().first;
      const AtomId id = algebra_.atom(
          {Atom::Kind::Prime, "p:" + prime.str(), prime, true, complete || !last, nullptr});
      out = algebra_.multiply(out, plain(algebra_.power_of(id, power * exponent(sign * count, 1))));
    }
  }
  return out;
}

// The power of one term: numbers and positive atoms separately, the rest together, because
// sqrt(x y) is not sqrt(x) sqrt(y) for negative x and y.
Quotient Canonical::root_of_term(const Monomial& monomial, Rational coefficient, Exponent power) {
  Monomial rest;
  Quotient out = number(1);
  for (const auto& [id, inner] : monomial) {
    const bool imaginary = algebra_[id].kind == Atom::Kind::Imaginary;
    if (algebra_[id].positive && !imaginary)
      out = algebra_.multiply(out, plain(algebra_.power_of(id, inner * power)));
    else
      rest.emplace_back(id, inner);
  }
  if (rest.empty()) return algebra_.multiply(out, root_of_rational(coefficient, power));
  const bool has_imaginary = std::any_of(rest.begin(), rest.end(), [&](const auto& factor) {
    return algebra_[factor.first].kind == Atom::Kind::Imaginary;
  });
  const bool odd = power.bottom % 2 != 0 && !has_imaginary;
  if (coefficient > 0 || odd) {
    out = algebra_.multiply(out, root_of_rational(coefficient, power));
    coefficient = 1;
  } else {
    out = algebra_.multiply(out, root_of_rational(-coefficient, power));
    coefficient = -1;
  }
  const Exponent inner = rest[0].second;
  const bool below_one = std::abs(inner.top) <= inner.bottom && inner.top > 0;
  if (rest.size() == 1 && coefficient == 1 && !has_imaginary && (below_one || odd))
    return algebra_.multiply(out, plain(algebra_.power_of(rest[0].first, inner * power)));
  return algebra_.multiply(out, plain(base_power({{rest, coefficient}}, power)));
}

Quotient Canonical::root(const Quotient& base, Exponent power) {
  if (!rational_of(base.bottom)) {
    const Quotient whole = call("quotient", {base});
    return plain(algebra_.power_of(whole.top.begin()->first[0].first, power));
  }
  if (base.top.size() == 1)
    return root_of_term(base.top.begin()->first, base.top.begin()->second, power);
  // The common number of all terms comes out.
  Integer top = 0, bottom = 1;
  for (const auto& [monomial, coefficient] : base.top) {
    top = gcd(top, numerator(coefficient));
    bottom = lcm(bottom, denominator(coefficient));
    algebra_.work().spend(2);
  }
  const Rational content = bounded(Rational(abs(top), bottom), algebra_.work());
  Polynomial primitive = base.top;
  for (auto& [monomial, coefficient] : primitive) coefficient /= content;
  return algebra_.multiply(root_of_rational(content, power), plain(base_power(primitive, power)));
}

Quotient Canonical::exponential(const Quotient& exponent_value) {
  return power(constant("e"), exponent_value);
}

// b^(c m + ..) = (b^m)^c ..: one atom for each monomial m of the exponent.
Quotient Canonical::symbolic_power(const Quotient& base, const Quotient& exponent_value) {
  const auto rational = rational_of(base);
  if (rational == Rational(1)) return base;
  const bool euler = base.top.size() == 1 && base.top.begin()->second == 1 &&
                     base.top.begin()->first.size() == 1 && rational_of(base.bottom) &&
                     algebra_[base.top.begin()->first[0].first].key == "e" &&
                     base.top.begin()->first[0].second == exponent(1, 1);
  if (base.top.empty() || !rational_of(exponent_value.bottom) || (rational && *rational < 0))
    return call("power", {base, exponent_value});
  Quotient out = number(1);
  const auto raise = [&](const Quotient& b, const std::string& name, bool positive) {
    for (const auto& [monomial, coefficient] : exponent_value.top) {
      const auto top = small(Rational(numerator(coefficient)));
      const auto bottom = small(Rational(denominator(coefficient)));
      if (!top || !bottom) throw LimitReached{};
      if (monomial.empty()) {
        out = algebra_.multiply(out, power(b, number(coefficient)));
        continue;
      }
      if (euler && monomial.size() == 1 && monomial[0].second == exponent(1, 1) &&
          algebra_[monomial[0].first].key.starts_with("ln(")) {
        const Quotient inner = *algebra_[monomial[0].first].inner;
        out = algebra_.multiply(out, power(inner, number(coefficient)));
        continue;
      }
      if (euler && monomial.size() == 2 &&
          algebra_.key(Polynomial{{monomial, Rational(1)}}) ==
              algebra_.key(algebra_.multiply(imaginary_unit(), constant("pi")).top)) {
        const Quotient angle = algebra_.multiply(number(coefficient), constant("pi"));
        out = algebra_.multiply(
            out, algebra_.add(sine(angle, true),
                              algebra_.multiply(imaginary_unit(), sine(angle, false))));
        continue;
      }
      Atom atom{Atom::Kind::Function, "", 0, positive, false, nullptr};
      atom.key = "power(" + name + "," + algebra_.key(Polynomial{{monomial, Rational(1)}});
      const AtomId id = algebra_.atom(std::move(atom));
      out = algebra_.multiply(out, plain(algebra_.power_of(id, exponent(*top, *bottom))));
    }
  };
  if (!rational) {
    raise(base, algebra_.key(base), false);
    return out;
  }
  // Rational numbers by their primes, so that 8^x is (2^x)^3.
  Quotient all = number(1);
  for (const int sign : {1, -1}) {
    bool complete = true;
    const Integer part = sign > 0 ? numerator(*rational) : denominator(*rational);
    for (const auto& [prime, count] : factors(part, complete, algebra_.work())) {
      out = number(1);
      raise(number(Rational(prime)), prime.str(), !reading_.imaginary);
      all = algebra_.multiply(all, whole_power(out, sign * count));
    }
  }
  return all;
}

}  // namespace allot::verify
