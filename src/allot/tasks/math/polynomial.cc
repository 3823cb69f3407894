#include "allot/tasks/math/polynomial.h"

#include <algorithm>
#include <numeric>

namespace allot::verify {
namespace {

int degree_of(const Monomial& monomial) {
  std::int64_t degree = 0;
  for (const auto& [atom, exponent] : monomial) degree += std::abs(exponent.top) / exponent.bottom;
  return static_cast<int>(std::min<std::int64_t>(degree, 1 << 30));
}

int degree_of(const Polynomial& p) {
  int degree = 0;
  for (const auto& [monomial, coefficient] : p) degree = std::max(degree, degree_of(monomial));
  return degree;
}

Monomial product(const Monomial& a, const Monomial& b) {
  Monomial out;
  auto i = a.begin(), j = b.begin();
  while (i != a.end() || j != b.end()) {
    if (j == b.end() || (i != a.end() && i->first < j->first)) {
      out.push_back(*i++);
    } else if (i == a.end() || j->first < i->first) {
      out.push_back(*j++);
    } else {
      const Exponent sum = i->second + j->second;
      if (sum.top != 0) out.emplace_back(i->first, sum);
      ++i, ++j;
    }
  }
  return out;
}

void accumulate(Polynomial& p, const Monomial& monomial, const Rational& coefficient) {
  if (coefficient == 0) return;
  const auto [place, fresh] = p.try_emplace(monomial, coefficient);
  if (fresh) {
    if (p.size() > kTerms) throw LimitReached{};
    return;
  }
  place->second += coefficient;
  if (place->second == 0) p.erase(place);
}

}  // namespace

Exponent exponent(std::int64_t top, std::int64_t bottom) {
  if (bottom < 0) top = -top, bottom = -bottom;
  const std::int64_t divisor = std::gcd(top, bottom);
  top /= divisor;
  bottom /= divisor;
  constexpr std::int64_t kLargest = std::int64_t{1} << 31;
  if (std::abs(top) > kLargest || bottom > kLargest) throw LimitReached{};
  return {top, bottom};
}
Exponent operator+(Exponent a, Exponent b) {
  if (a.bottom == 1 && b.bottom == 1) return exponent(a.top + b.top, 1);
  return exponent(a.top * b.bottom + b.top * a.bottom, a.bottom * b.bottom);
}
Exponent operator*(Exponent a, Exponent b) {
  // Crosswise first, so that the products fit.
  const Exponent left = exponent(a.top, b.bottom), right = exponent(b.top, a.bottom);
  return exponent(left.top * right.top, left.bottom * right.bottom);
}

AtomId Algebra::atom(Atom atom) {
  work_.spend(2 + atom.key.size() / 8);
  const auto [place, fresh] = ids_.try_emplace(atom.key, static_cast<AtomId>(atoms_.size()));
  if (fresh) atoms_.push_back(std::move(atom));
  return place->second;
}

Polynomial Algebra::constant(Rational value) const {
  Polynomial p;
  if (value != 0) p.emplace(Monomial{}, std::move(value));
  return p;
}

Polynomial Algebra::power_of(AtomId id, Exponent exponent) {
  if (exponent.top == 0) return constant(1);
  return multiply_terms({{id, exponent}}, {}, 1);
}

Polynomial Algebra::add(const Polynomial& a, const Polynomial& b, const Rational& factor) {
  work_.spend(1 + b.size());
  Polynomial sum = a;
  for (const auto& [monomial, coefficient] : b)
    accumulate(sum, monomial, bounded(coefficient * factor, work_));
  return sum;
}

// One product of monomials. Whole powers of primes become coefficients, i^2 becomes -1, whole
// powers of a sum under a root become that sum.
Polynomial Algebra::multiply_terms(const Monomial& a, const Monomial& b, Rational coefficient) {
  work_.spend(2 + a.size() + b.size());
  Monomial merged = product(a, b), kept;
  Polynomial factor;
  bool expand = false;
  for (auto& [id, power] : merged) {
    const Atom& atom = atoms_[id];
    if (atom.kind == Atom::Kind::Prime) {
      std::int64_t whole = power.top / power.bottom;
      if (power.top < 0 && whole * power.bottom != power.top) --whole;
      if (whole != 0) {
        coefficient *= *verify::power(Rational(atom.prime), static_cast<int>(whole), work_);
        power = power + exponent(-whole, 1);
      }
    } else if (atom.kind == Atom::Kind::Imaginary && power.whole()) {
      const std::int64_t turn = ((power.top % 4) + 4) % 4;
      if (turn >= 2) coefficient = -coefficient;
      power = exponent(turn % 2, 1);
    } else if (atom.kind == Atom::Kind::Base && power.whole() && power.top > 0 &&
               can_raise(atom.inner->top,
                         static_cast<int>(std::min<std::int64_t>(power.top, 999)))) {
      const Polynomial raised = raise(atom.inner->top, static_cast<int>(power.top));
      factor = expand ? multiply(factor, raised) : raised;
      expand = true;
      continue;
    }
    if (power.top != 0) kept.emplace_back(id, power);
  }
  Polynomial out;
  accumulate(out, kept, bounded(std::move(coefficient), work_));
  return expand ? multiply(out, factor) : out;
}

Polynomial Algebra::multiply(const Polynomial& a, const Polynomial& b) {
  Polynomial out;
  for (const auto& [left, x] : a)
    for (const auto& [right, y] : b)
      for (const auto& [monomial, coefficient] : multiply_terms(left, right, x * y))
        accumulate(out, monomial, coefficient);
  return out;
}

bool Algebra::can_raise(const Polynomial& a, int exponent) const {
  if (a.size() <= 1) return true;
  if (exponent > 64 || degree_of(a) * exponent > kDegree) return false;
  // Terms of the power: exponent + size - 1 over size - 1.
  double terms = 1;
  for (std::size_t i = 1; i < a.size(); ++i)
    terms *= static_cast<double>(static_cast<std::size_t>(exponent) + i) / static_cast<double>(i);
  return terms * static_cast<double>(a.size()) <= 2000;
}

Polynomial Algebra::raise(const Polynomial& a, int exponent) {
  Polynomial out = constant(1);
  if (a.size() == 1) {
    Monomial monomial = a.begin()->first;
    for (auto& [id, power] : monomial) power = power * verify::exponent(exponent, 1);
    const auto coefficient = verify::power(a.begin()->second, exponent, work_);
    if (exponent == 0) return out;
    return multiply_terms(monomial, {}, *coefficient);
  }
  for (int i = 0; i < exponent; ++i) out = multiply(out, a);
  return out;
}

Quotient Algebra::quotient(Polynomial top, Polynomial bottom) {
  if (bottom.empty()) throw Undefined{};
  if (bottom.size() > 1) return {std::move(top), std::move(bottom)};
  // One term divides by its inverse.
  Monomial inverse = bottom.begin()->first;
  bool primes_only = true;
  for (auto& [id, power] : inverse) {
    primes_only &= atoms_[id].kind != Atom::Kind::Base;
    power = power * exponent(-1, 1);
  }
  const Rational coefficient = 1 / bottom.begin()->second;
  if (inverse.empty() && coefficient == 1) return {std::move(top), constant(1)};
  return {multiply(top, multiply_terms(inverse, {}, coefficient)), constant(1)};
}

Quotient Algebra::add(const Quotient& a, const Quotient& b, const Rational& factor) {
  if (a.bottom == b.bottom) return {add(a.top, b.top, factor), a.bottom};
  return quotient(add(multiply(a.top, b.bottom), multiply(b.top, a.bottom), factor),
                  multiply(a.bottom, b.bottom));
}

Quotient Algebra::multiply(const Quotient& a, const Quotient& b) {
  if (a.top == b.bottom) return quotient(b.top, a.bottom);
  if (b.top == a.bottom) return quotient(a.top, b.bottom);
  return quotient(multiply(a.top, b.top), multiply(a.bottom, b.bottom));
}

Quotient Algebra::divide(const Quotient& a, const Quotient& b) {
  if (b.top.empty()) throw Undefined{};
  return multiply(a, quotient(b.bottom, b.top));
}

Polynomial Algebra::difference(const Quotient& a, const Quotient& b) {
  if (a.bottom == b.bottom) return add(a.top, b.top, -1);
  return add(multiply(a.top, b.bottom), multiply(b.top, a.bottom), -1);
}

bool Algebra::certain(const Polynomial& p) const {
  const Atom* transcendental = nullptr;
  for (const auto& [monomial, coefficient] : p)
    for (const auto& [id, power] : monomial) {
      const Atom& atom = atoms_[id];
      if (!atom.certain) return false;
      if (atom.kind != Atom::Kind::Constant) continue;
      if (transcendental != nullptr && transcendental != &atom) return false;
      transcendental = &atom;
    }
  return true;
}

std::string Algebra::key(const Polynomial& p) const {
  std::string out;
  for (const auto& [monomial, coefficient] : p) {
    out += '+';
    out += coefficient.str();
    for (const auto& [id, power] : monomial) {
      (out += '#') += std::to_string(id);
      (out += '^') += std::to_string(power.top);
      if (!power.whole()) (out += '|') += std::to_string(power.bottom);
    }
  }
  work_.spend(1 + out.size() / 8);
  return out;
}

std::string Algebra::key(const Quotient& q) const {
  return rational_of(q.bottom) == Rational(1) ? key(q.top) : key(q.top) + "/" + key(q.bottom);
}

std::optional<Rational> rational_of(const Polynomial& p) {
  if (p.empty()) return Rational(0);
  if (p.size() == 1 && p.begin()->first.empty()) return p.begin()->second;
  return std::nullopt;
}

std::optional<Rational> rational_of(const Quotient& q) {
  const auto top = rational_of(q.top), bottom = rational_of(q.bottom);
  if (!top || !bottom) return std::nullopt;
  return *top / *bottom;
}

}  // namespace allot::verify
