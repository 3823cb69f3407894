// The value of an expression at a point, with error bounds (tier T4).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "allot/tasks/math/ball.h"
#include "allot/tasks/math/canonical.h"
#include "allot/tasks/math/expression.h"

namespace allot::verify {

// Values of the symbols, by name.
using Point = std::vector<std::pair<std::string, Rational>>;

class Evaluator {
 public:
  Evaluator(const Point& point, const Reading& reading, Work& work)
      : point_(point), reading_(reading), work_(work) {}

  // Throws NoValue, LimitReached.
  Complex of(Tree tree);

 private:
  Complex symbol(const std::string& name);
  Complex power(Tree tree);
  Complex function(Tree tree);
  Complex sine(const Complex& argument, bool cosine);
  Ball arcus(const std::string& name, const Complex& argument);
  Complex factorial(const Complex& argument);
  Complex rounded(const Complex& argument, bool up);

  const Point& point_;
  const Reading& reading_;
  Work& work_;
};

enum class Agreement { Equal, Different, Unknown };

// Compares two expressions at fixed points: once if they have no symbols, else at 24 points with
// positive and negative coordinates and 12 with small whole and half ones. One certified difference
// where both are real (or the reading is complex) decides; equality needs 12 points of agreement.
// `positive`: the symbols are known to be positive.
Agreement compare_values(Tree a, const Reading& reading_a, Tree b, const Reading& reading_b,
                         bool positive, Work& work);

// The exact value of an expression without symbols whose value is rational by plain arithmetic.
std::optional<Rational> plain_rational(Tree tree, Work& work);

}  // namespace allot::verify
