// Chained arithmetic, read left to right like the keys of a calculator, every intermediate value
// reduced modulo m: "mod100:7,+5,*3,-4=>" is answered by its intermediate values "12;36;32".
// The part after the last ';' is the answer ("32" alone is right, too); steps are not judged, so a
// model may skip, shorten or invent them as long as the answer holds.
#pragma once

#include "allot/tasks/puzzle.h"

namespace allot {

struct ChainArithmeticOptions {
  Levels operations{.min = 1, .max = 7, .weights = {}, .limits = {1, 9}};
  int modulus = 100;
  SetSizes sizes;

  template <class V>
  void fields(V& v) {
    v("operations", operations);
    v("modulus", modulus, Range{2, 1000}, "values are reduced modulo this number");
    sizes.fields(v);
  }
};

PuzzleTask chain_arithmetic(const ChainArithmeticOptions& options);

}  // namespace allot
