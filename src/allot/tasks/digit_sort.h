// Digit sorting: "sort:3817=>" is answered by the same digits in ascending order, "1378".
#pragma once

#include "allot/tasks/puzzle.h"

namespace allot {

struct DigitSortOptions {
  Levels digits{.min = 2, .max = 16, .weights = {}, .limits = {1, 32}};
  SetSizes sizes;

  template <class V>
  void fields(V& v) {
    v("digits", digits);
    sizes.fields(v);
  }
};

PuzzleTask digit_sort(const DigitSortOptions& options);

}  // namespace allot
