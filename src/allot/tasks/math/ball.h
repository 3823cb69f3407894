// Numbers with error bounds, for tier T4 and for irrational constants: a 212-bit midpoint and a
// bound on its distance from the true value; complex numbers as two of them. The arithmetic is
// Boost's in software, so the same on every machine.
#pragma once

#include <boost/multiprecision/cpp_bin_float.hpp>

#include "allot/tasks/math/rational.h"

namespace allot::verify {

using Real = boost::multiprecision::number<
    boost::multiprecision::cpp_bin_float<212, boost::multiprecision::digit_base_2>,
    boost::multiprecision::et_off>;

// Thrown where a value is not defined, not bounded well enough or out of range at a point.
struct NoValue {};

struct Ball {
  Real middle = 0;
  double radius = 0;  // |true value - middle| <= radius
};

Ball ball(const Rational& value);
Ball operator+(const Ball& a, const Ball& b);
Ball operator-(const Ball& a, const Ball& b);
Ball operator*(const Ball& a, const Ball& b);
Ball operator/(const Ball& a, const Ball& b);  // throws NoValue if b may be zero
Ball operator-(const Ball& a);

bool may_be_zero(const Ball& a);
bool surely_positive(const Ball& a);
bool surely_negative(const Ball& a);

Ball sqrt(const Ball& a);  // of a > 0
Ball exp(const Ball& a);
Ball log(const Ball& a);  // of a > 0
Ball sin(const Ball& a);
Ball cos(const Ball& a);
Ball atan(const Ball& a);
Ball pi();

struct Complex {
  Ball re, im;
  bool real = true;  // im is exactly zero
};

Complex operator+(const Complex& a, const Complex& b);
Complex operator-(const Complex& a, const Complex& b);
Complex operator*(const Complex& a, const Complex& b);
Complex operator/(const Complex& a, const Complex& b);
Complex exp(const Complex& a);
Complex log(const Complex& a);           // principal value
Complex power(const Complex& a, int n);  // by repeated squares
Ball modulus(const Complex& a);

}  // namespace allot::verify
