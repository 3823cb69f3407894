// Exact numbers: rationals over whole numbers of any length up to kIntegerBits.
#pragma once

#include <optional>
#include <string_view>

#include <boost/multiprecision/cpp_int.hpp>

#include "allot/tasks/math/work.h"

namespace allot::verify {

using Integer = boost::multiprecision::cpp_int;
using Rational = boost::multiprecision::cpp_rational;

std::size_t bits(const Integer& n);

// `value` itself; throws LimitReached where a part of it is longer than kIntegerBits. Charges the
// words of the number.
Rational bounded(Rational value, Work& work);

inline bool is_whole(const Rational& value) { return denominator(value) == 1; }
// As a small whole number, if it is one of at most 31 bits.
std::optional<int> small(const Rational& value);

// base^exponent. Undefined (nullopt) for 0 to a negative power.
std::optional<Rational> power(const Rational& base, int exponent, Work& work);

// Digits with at most one decimal point, such as "12.50"; only digits otherwise.
Rational read_decimal(std::string_view digits, Work& work);
// 10^exponent for exponent >= 0.
Integer power_of_ten(std::size_t exponent, Work& work);

Rational floor_of(const Rational& value);

}  // namespace allot::verify
