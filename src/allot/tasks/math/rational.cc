#include "allot/tasks/math/rational.h"

#include <string>

namespace allot::verify {

std::size_t bits(const Integer& n) {
  return n == 0 ? 0 : static_cast<std::size_t>(msb(abs(n))) + 1;
}

Rational bounded(Rational value, Work& work) {
  const std::size_t length = bits(numerator(value)) + bits(denominator(value));
  work.spend(1 + length / 64);
  if (length > 2 * kIntegerBits || bits(numerator(value)) > kIntegerBits ||
      bits(denominator(value)) > kIntegerBits)
    throw LimitReached{};
  return value;
}

std::optional<int> small(const Rational& value) {
  if (!is_whole(value) || bits(numerator(value)) > 31) return std::nullopt;
  return static_cast<int>(numerator(value));
}

std::optional<Rational> power(const Rational& base, int exponent, Work& work) {
  if (exponent < 0 && base == 0) return std::nullopt;
  const unsigned n = exponent < 0 ? 0U - static_cast<unsigned>(exponent) : exponent;
  const std::size_t length = std::max(bits(numerator(base)), bits(denominator(base)));
  if (base == 0 || base == 1) return n == 0 ? Rational(1) : base;
  if (base == -1) return Rational(n % 2 == 0 ? 1 : -1);
  if ((length - 1) * n > kIntegerBits) throw LimitReached{};
  work.spend(1 + length * n / 64);
  const Rational raised(pow(numerator(base), n), pow(denominator(base), n));
  return bounded(exponent < 0 ? Rational(1 / raised) : raised, work);
}

Integer power_of_ten(std::size_t exponent, Work& work) {
  if (exponent > kNumeralDigits) throw LimitReached{};
  work.spend(1 + exponent / 16);
  return pow(Integer(10), static_cast<unsigned>(exponent));
}

Rational read_decimal(std::string_view digits, Work& work) {
  if (digits.size() > kNumeralDigits + 1) throw LimitReached{};
  work.spend(1 + digits.size() / 16);
  const std::size_t point = digits.find('.');
  const std::size_t decimals = point == std::string_view::npos ? 0 : digits.size() - point - 1;
  if (digits.size() <= 18) {  // fits a machine word
    std::uint64_t whole = 0;
    for (const char c : digits)
      if (c != '.') whole = whole * 10 + static_cast<std::uint64_t>(c - '0');
    if (decimals == 0) return Rational(whole);
    return Rational(Integer(whole), power_of_ten(decimals, work));
  }
  std::string all;
  for (const char c : digits)
    if (c != '.') all += c;
  const std::size_t first = all.find_first_not_of('0');  // a leading zero would mean octal
  const Integer whole = first == std::string::npos ? Integer(0) : Integer(all.substr(first));
  if (decimals == 0) return Rational(whole);
  return Rational(whole, power_of_ten(decimals, work));
}

Rational floor_of(const Rational& value) {
  Integer quotient, remainder;
  divide_qr(numerator(value), denominator(value), quotient, remainder);
  if (remainder < 0) quotient -= 1;
  return Rational(quotient);
}

}  // namespace allot::verify
