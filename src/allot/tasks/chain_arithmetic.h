// Chained arithmetic, read left to right like the keys of a calculator, every intermediate value
// reduced modulo m: "mod10:7+5-3=>" is answered by the running value "7;2;9".
// The part after the last ';' is the answer ("9" alone is right, too); steps are not judged, so a
// model may skip, shorten or invent them as long as the answer holds.
#pragma once

#include <string>

#include "allot/tasks/puzzle.h"

namespace allot {

struct ChainArithmeticOptions {
  Levels operations{.min = 1, .max = 7, .weights = {}, .limits = {1, 10}};
  int modulus = 10, largest = 9;
  std::string symbols = "+-*";
  SetSizes sizes;

  template <class V>
  void fields(V& v) {
    v("operations", operations);
    v("modulus", modulus, Range{2, 1000}, "values are reduced modulo this number");
    v("largest", largest, Range{2, 9}, "operands lie between 1 and this");
    v("symbols", symbols,
      "operations drawn from: any of + - *, a repeated one is drawn more often");
    sizes.fields(v);
  }
};

PuzzleTask chain_arithmetic(const ChainArithmeticOptions& options);

}  // namespace allot
