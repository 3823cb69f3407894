#include "allot/tasks/math/ball.h"

#include <cmath>

namespace allot::verify {
namespace {

namespace mp = boost::multiprecision;

// Relative error of one operation or elementary function of Boost, with a wide margin.
constexpr double kRounding = 0x1p-200;
constexpr double kUp = 1 + 0x1p-40;  // more than what the radii lose by rounding
constexpr double kLargest = 1e200, kSmallest = 1e-200;

double size_of(const Real& x) { return std::abs(static_cast<double>(x)); }

Ball rounded(Real middle, double radius) {
  const double size = size_of(middle);
  if (!(size <= kLargest) || (size < kSmallest && middle != 0) || !(radius <= kLargest))
    throw NoValue{};
  return {std::move(middle), (radius + size * kRounding) * kUp};
}

double lower(const Ball& a) { return size_of(a.middle) * (1 - 0x1p-40) - a.radius; }
double upper(const Ball& a) { return size_of(a.middle) * kUp + a.radius; }

}  // namespace

Ball ball(const Rational& value) {
  if (value == 0) return {};
  if (is_whole(value) && bits(numerator(value)) <= 200) return {Real(numerator(value)), 0};
  return rounded(Real(numerator(value)) / Real(denominator(value)), 0);
}

Ball operator-(const Ball& a) { return {-a.middle, a.radius}; }
Ball operator+(const Ball& a, const Ball& b) {
  Real sum = a.middle + b.middle;
  // The rounding error is relative to the operands where they cancel.
  const double radius = a.radius + b.radius;
  if (sum == 0) return {0, radius * kUp};
  if (size_of(sum) < kSmallest) throw NoValue{};
  return rounded(std::move(sum), radius);
}
Ball operator-(const Ball& a, const Ball& b) { return a + -b; }
Ball operator*(const Ball& a, const Ball& b) {
  if ((a.middle == 0 && a.radius == 0) || (b.middle == 0 && b.radius == 0)) return {};
  const double radius = size_of(a.middle) * kUp * b.radius + upper(b) * a.radius;
  return rounded(a.middle * b.middle, radius * kUp);
}
Ball operator/(const Ball& a, const Ball& b) {
  const double least = lower(b);
  if (!(least > 0)) throw NoValue{};
  // |a/b - m| <= (ra + |a/b| rb) / (|b| - rb)
  const Real middle = a.middle / b.middle;
  const double radius = (a.radius + size_of(middle) * kUp * b.radius) / least;
  return rounded(middle, radius * kUp);
}

bool may_be_zero(const Ball& a) { return !(lower(a) > 0); }
bool surely_positive(const Ball& a) { return lower(a) > 0 && a.middle > 0; }
bool surely_negative(const Ball& a) { return lower(a) > 0 && a.middle < 0; }

Ball sqrt(const Ball& a) {
  if (!surely_positive(a)) throw NoValue{};
  return rounded(mp::sqrt(a.middle), a.radius / std::sqrt(lower(a)) * kUp);
}
Ball exp(const Ball& a) {
  if (size_of(a.middle) > 400 || a.radius > 1) throw NoValue{};
  const Real middle = mp::exp(a.middle);
  // e^(x+r) - e^x <= e^x 2r for r <= 1; the argument's size enters the function's own error.
  const double size = size_of(middle);
  return rounded(middle, size * (2 * a.radius + kRounding * (1 + size_of(a.middle))) * kUp);
}
Ball log(const Ball& a) {
  if (!surely_positive(a)) throw NoValue{};
  // Near 1 the logarithm is small: its error is bounded absolutely.
  return rounded(a.middle == 1 ? Real(0) : mp::log(a.middle),
                 a.radius / lower(a) * kUp + kRounding);
}
Ball sin(const Ball& a) {
  if (size_of(a.middle) > 1e6) throw NoValue{};
  return rounded(mp::sin(a.middle), a.radius + kRounding * (1 + size_of(a.middle)));
}
Ball cos(const Ball& a) {
  if (size_of(a.middle) > 1e6) throw NoValue{};
  return rounded(mp::cos(a.middle), a.radius + kRounding * (1 + size_of(a.middle)));
}
Ball atan(const Ball& a) { return rounded(mp::atan(a.middle), a.radius + kRounding); }
Ball pi() {
  static const Real value = boost::math::constants::pi<Real>();
  return rounded(value, 0);
}

Complex operator+(const Complex& a, const Complex& b) {
  if (a.real && b.real) return {a.re + b.re, {}, true};
  return {a.re + b.re, a.im + b.im, false};
}
Complex operator-(const Complex& a, const Complex& b) {
  if (a.real && b.real) return {a.re - b.re, {}, true};
  return {a.re - b.re, a.im - b.im, false};
}
Complex operator*(const Complex& a, const Complex& b) {
  if (a.real && b.real) return {a.re * b.re, {}, true};
  return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re, false};
}
Complex operator/(const Complex& a, const Complex& b) {
  if (b.real) return {a.re / b.re, a.real ? Ball{} : a.im / b.re, a.real};
  const Ball size = b.re * b.re + b.im * b.im;
  const Complex turned = a * Complex{b.re, -b.im, false};
  return {turned.re / size, turned.im / size, false};
}

Complex exp(const Complex& a) {
  const Ball size = exp(a.re);
  if (a.real) return {size, {}, true};
  return {size * cos(a.im), size * sin(a.im), false};
}

Ball modulus(const Complex& a) {
  if (a.real) return a.re.middle < 0 ? -a.re : a.re;
  return sqrt(a.re * a.re + a.im * a.im);
}

Complex log(const Complex& a) {
  if (a.real && surely_positive(a.re)) return {log(a.re), {}, true};
  if (a.real && surely_negative(a.re)) return {log(-a.re), pi(), false};
  // The angle: on the cut it would not be certain.
  const Ball size = log(modulus(a));
  if (surely_positive(a.re)) return {size, atan(a.im / a.re), false};
  if (surely_positive(a.im)) return {size, pi() / ball(2) - atan(a.re / a.im), false};
  if (surely_negative(a.im)) return {size, -(pi() / ball(2)) - atan(a.re / a.im), false};
  throw NoValue{};
}

Complex power(const Complex& a, int n) {
  if (n < 0) return Complex{ball(1), {}, true} / power(a, -n);
  Complex out{ball(1), {}, true}, square = a;
  for (; n > 0; n /= 2) {
    if (n % 2 != 0) out = out * square;
    if (n > 1) square = square * square;
  }
  return out;
}

}  // namespace allot::verify
