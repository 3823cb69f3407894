// Exact canonical forms: quotients of polynomials over the rationals in "atoms". An atom is a
// variable, pi, e, i, a prime under a root, or anything that is not taken apart (sin of something).
// Exponents are rational, so sqrt(x) is the atom x with exponent 1/2; whole powers of a prime move
// into the coefficient and i^2 = -1, so equal values of radicals have equal forms.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "allot/tasks/math/rational.h"

namespace allot::verify {

// Thrown for a value that does not exist: 0/0, log 0, infinity minus infinity. Equal to nothing.
struct Undefined {};

using AtomId = std::uint32_t;

// A fraction of machine words, reduced, denominator positive.
struct Exponent {
  std::int64_t top = 0, bottom = 1;
  bool whole() const { return bottom == 1; }
  friend bool operator==(const Exponent&, const Exponent&) = default;
  friend bool operator<(const Exponent& a, const Exponent& b) {  // an order for maps
    return std::tie(a.top, a.bottom) < std::tie(b.top, b.bottom);
  }
};
Exponent exponent(std::int64_t top, std::int64_t bottom);  // throws LimitReached beyond 2^31
Exponent operator+(Exponent a, Exponent b);
Exponent operator*(Exponent a, Exponent b);

// Ascending by atom, no exponent 0.
using Monomial = std::vector<std::pair<AtomId, Exponent>>;
using Polynomial = std::map<Monomial, Rational>;  // no coefficient 0

struct Quotient {
  Polynomial top, bottom;  // bottom is never zero
};

struct Atom {
  enum class Kind : std::uint8_t { Symbol, Constant, Imaginary, Prime, Base, Function };
  Kind kind = Kind::Symbol;
  std::string key;        // distinct for distinct atoms
  Integer prime;          // Prime
  bool positive = false;  // a positive real number, whatever the variables are
  // Monomials in certain atoms are linearly independent over the rationals, so that different
  // polynomials in them are different values.
  bool certain = false;
  std::shared_ptr<const Quotient> inner;  // Base: the polynomial; Function ln: its argument
};

// Polynomial arithmetic over one table of atoms; both sides of a comparison share it.
class Algebra {
 public:
  explicit Algebra(Work& work) : work_(work) {}

  AtomId atom(Atom atom);  // the existing one of that key, if any
  const Atom& operator[](AtomId id) const { return atoms_[id]; }

  Polynomial constant(Rational value) const;
  Polynomial power_of(AtomId id, Exponent exponent);
  Polynomial add(const Polynomial& a, const Polynomial& b, const Rational& factor = 1);  // a + f b
  Polynomial multiply(const Polynomial& a, const Polynomial& b);
  Polynomial raise(const Polynomial& a, int exponent);  // exponent >= 0
  bool can_raise(const Polynomial& a, int exponent) const;

  Quotient quotient(Polynomial top, Polynomial bottom);  // throws Undefined for bottom = 0
  Quotient add(const Quotient& a, const Quotient& b, const Rational& factor = 1);
  Quotient multiply(const Quotient& a, const Quotient& b);
  Quotient divide(const Quotient& a, const Quotient& b);

  // top(a) bottom(b) - top(b) bottom(a): zero where both are one value.
  Polynomial difference(const Quotient& a, const Quotient& b);
  bool certain(const Polynomial& p) const;  // a non-zero p is a non-zero value
  std::string key(const Polynomial& p) const;
  std::string key(const Quotient& q) const;

  Work& work() { return work_; }

 private:
  Polynomial multiply_terms(const Monomial& a, const Monomial& b, Rational coefficient);

  Work& work_;
  std::vector<Atom> atoms_;
  std::unordered_map<std::string, AtomId> ids_;
};

// The value of a polynomial without atoms.
std::optional<Rational> rational_of(const Polynomial& p);
std::optional<Rational> rational_of(const Quotient& q);

}  // namespace allot::verify
