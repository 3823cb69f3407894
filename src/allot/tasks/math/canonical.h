// From expressions to exact canonical forms (tier T3). Source: verifier specification, section 5
// and K23, K31.
//
// Rewritten exactly: rational arithmetic, radicals of rationals (primes under roots), powers, sin
// and cos at multiples of pi/12 and pi/5, logarithms of rationals, hyperbolic functions, factorials
// (also of n + k), binomials, absolute values and floors of numbers, complex numbers. All else
// stays an atom, so a form may differ although the value does not; see Algebra::certain().
// Odd roots of negative numbers are real: (-8)^(1/3) = -2.
#pragma once

#include "allot/tasks/math/expression.h"
#include "allot/tasks/math/polynomial.h"

namespace allot::verify {

// How names are read on both sides of a comparison.
struct Reading {
  bool imaginary = false;               // i and I are the imaginary unit
  std::string constant_of_integration;  // of this side: the name that stands for the gold's C
};

class Canonical {
 public:
  Canonical(Algebra& algebra, Reading reading) : algebra_(algebra), reading_(std::move(reading)) {}

  // Throws Undefined, LimitReached.
  Quotient of(Tree tree);

 private:
  Quotient symbol(const std::string& name);
  Quotient function(Tree tree);
  Quotient trigonometric(const std::string& name, const Quotient& argument);
  Quotient sine(const Quotient& argument, bool cosine);
  Quotient logarithm(const Quotient& argument);
  Quotient logarithm_of(const Rational& value);
  Quotient absolute(const Quotient& argument);
  Quotient factorial(const Quotient& argument);
  Quotient rounded(const Quotient& argument, const std::string& name);
  Quotient of_whole_numbers(const std::string& name, const std::vector<Quotient>& arguments);
  Quotient call(const std::string& name, const std::vector<Quotient>& arguments);

  Quotient power(const Quotient& base, const Quotient& exponent);
  Quotient whole_power(const Quotient& base, int exponent);
  Quotient huge_power(const Rational& base, int exponent);
  Quotient root(const Quotient& base, Exponent exponent);
  Quotient root_of_term(const Monomial& monomial, Rational coefficient, Exponent exponent);
  Quotient root_of_rational(Rational value, Exponent exponent);
  Quotient symbolic_power(const Quotient& base, const Quotient& exponent);
  Quotient exponential(const Quotient& exponent);
  Polynomial base_power(Polynomial base, Exponent exponent);

  Quotient number(Rational value) { return {algebra_.constant(std::move(value)), one()}; }
  Polynomial one() { return algebra_.constant(1); }
  Quotient plain(Polynomial p) { return {std::move(p), one()}; }
  Quotient constant(const char* name);
  Quotient imaginary_unit();

  Algebra& algebra_;
  Reading reading_;
};

// The prime factors of n > 0 with their powers; what trial division leaves is the last factor, and
// `complete` says whether that one is surely prime.
std::vector<std::pair<Integer, int>> factors(Integer n, bool& complete, Work& work);

}  // namespace allot::verify
