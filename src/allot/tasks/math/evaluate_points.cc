// The points of tier T4 and what agreement at them means.
#include <algorithm>
#include <cmath>

#include "allot/tasks/math/evaluate.h"

namespace allot::verify {
namespace {

constexpr std::size_t kPoints = 24, kMorePoints = 72, kSmallPoints = 12, kNeeded = 12;
constexpr double kTolerance = 1e-20;

// A fixed mix of two numbers (splitmix64), so that points are the same everywhere.
std::uint64_t mixed(std::uint64_t a, std::uint64_t b) {
  std::uint64_t z = a * 0x9E3779B97F4A7C15ULL + b * 0xD1B54A32D192ED03ULL + 0x2545F4914F6CDD1DULL;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

// Every fourth point is positive in all coordinates; sizes from 1/8 to 8.
Rational coordinate(std::size_t point, std::size_t index, bool positive) {
  const std::uint64_t bits = mixed(point, index);
  const Rational size(Integer((bits >> 8) % 1000003 + 1000), Integer(1000003));
  constexpr int kScales[] = {1, 3, 8};
  const Rational value = size * kScales[(point + index) % 3];
  return !positive && point % 4 != 0 && bits % 2 == 0 ? Rational(-value) : value;
}

// Small whole and half numbers, where powers of powers and roots show their branches.
Rational small_coordinate(std::size_t point, std::size_t index, bool positive) {
  constexpr int kHalves[] = {-4, 1, 4, -2, -1, 2, 6, -6};
  const std::uint64_t bits = mixed(point + 1000, index);
  const Rational value(kHalves[(bits >> 5) % 8], 2);
  return positive ? Rational(abs(value)) : value;
}

double size_of(const Complex& a) {
  return std::abs(static_cast<double>(a.re.middle)) +
         (a.real ? 0 : std::abs(static_cast<double>(a.im.middle)));
}

bool is_real(const Complex& a) { return a.real || may_be_zero(a.im); }

// One coordinate: certified different, close enough, or neither.
Agreement compare(const Ball& a, const Ball& b, double size) {
  const double distance = std::abs(static_cast<double>(a.middle - b.middle));
  const double radius = a.radius + b.radius;
  if (distance > radius * 1.0001) return Agreement::Different;
  return radius <= kTolerance * 1e-3 * std::max(size, 1e-3) ? Agreement::Equal : Agreement::Unknown;
}

Agreement compare_at(Tree a, const Reading& reading_a, Tree b, const Reading& reading_b,
                     const Point& point, Work& work) {
  try {
    const Complex left = Evaluator(point, reading_a, work).of(a);
    const Complex right = Evaluator(point, reading_b, work).of(b);
    const bool complex = reading_a.imaginary;
    if (!complex && (!is_real(left) || !is_real(right))) return Agreement::Unknown;
    const double size = std::max(size_of(left), size_of(right));
    const Agreement re = compare(left.re, right.re, size);
    const Agreement im = complex ? compare(left.im, right.im, size) : Agreement::Equal;
    if (re == Agreement::Different || im == Agreement::Different) return Agreement::Different;
    return re == Agreement::Equal && im == Agreement::Equal ? Agreement::Equal : Agreement::Unknown;
  } catch (const NoValue&) {
    return Agreement::Unknown;
  }
}

bool has_unknown_base(Tree tree) {
  if (tree.node().op == Op::Function && tree.node().name == "log") return true;
  for (std::size_t i = 0; i < tree.node().kids.size(); ++i)
    if (has_unknown_base(tree.kid(i))) return true;
  return false;
}

std::vector<std::string> symbols(Tree a, const Reading& reading_a, Tree b,
                                 const Reading& reading_b) {
  std::vector<std::string> names;
  const auto add = [&](Tree tree, const Reading& reading) {
    std::vector<std::string> own;
    collect_symbols(tree, own);
    for (std::string& name : own) {
      if (reading.imaginary && (name == "i" || name == "I")) continue;
      names.push_back(name == reading.constant_of_integration ? "C" : name);
    }
  };
  add(a, reading_a);
  add(b, reading_b);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

}  // namespace

Agreement compare_values(Tree a, const Reading& reading_a, Tree b, const Reading& reading_b,
                         bool positive, Work& work) {
  const std::vector<std::string> names = symbols(a, reading_a, b, reading_b);
  const bool unknown_base = has_unknown_base(a) || has_unknown_base(b);
  const auto at = [&](std::size_t index, bool small) {
    Point point;
    for (std::size_t i = 0; i < names.size(); ++i)
      point.emplace_back(
          names[i], small ? small_coordinate(index, i, positive) : coordinate(index, i, positive));
    if (unknown_base) point.emplace_back("@log", coordinate(index, 99, true));
    return compare_at(a, reading_a, b, reading_b, point, work);
  };
  if (names.empty() && !unknown_base) return at(0, false);
  std::size_t agreed = 0;
  for (std::size_t i = 0; i < kMorePoints && (i < kPoints || agreed < kNeeded); ++i) {
    const Agreement found = at(i, false);
    if (found == Agreement::Different) return found;
    agreed += found == Agreement::Equal ? 1 : 0;
  }
  if (agreed < kNeeded) return Agreement::Unknown;
  for (std::size_t i = 0; i < kSmallPoints; ++i)
    if (at(i, true) == Agreement::Different) return Agreement::Different;
  return Agreement::Equal;
}

}  // namespace allot::verify
