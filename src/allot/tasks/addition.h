// Multi-digit addition: "958+067=>" is answered by "1025" or "01025". The level is the number of
// significant digits of the longer operand; the other one has between half as many and as many.
#pragma once

#include "allot/tasks/puzzle.h"

namespace allot {

struct AdditionOptions {
  Levels digits{.min = 1, .max = 8, .weights = {}, .limits = {1, 18}};
  SetSizes sizes;

  template <class V>
  void fields(V& v) {
    v("digits", digits);
    sizes.fields(v);
  }
};

PuzzleTask addition(const AdditionOptions& options);

}  // namespace allot
