// Countdown: "make 24:3,8,1=>" is answered by an expression over + - * / and brackets that uses
// every given number exactly once and has the value of the target, e.g. "3*8*1".
//
// (The television game lets numbers be left out; with all of them required a puzzle's difficulty
// depends on how many there are, which makes that number a usable level.) Every puzzle has a
// solution with positive whole intermediate values; a response may go through fractions.
#pragma once

#include "allot/tasks/puzzle.h"

namespace allot {

struct CountdownOptions {
  Levels numbers{.min = 2, .max = 4, .weights = {}, .limits = {2, 6}};
  int largest = 50, largest_target = 100;
  std::string symbols = "+-*/";
  SetSizes sizes;

  template <class V>
  void fields(V& v) {
    v("numbers", numbers);
    v("largest", largest, Range{2, 99}, "given numbers lie between 1 and this");
    v("largest_target", largest_target, Range{10, 999}, "targets lie between 1 and this");
    v("symbols", symbols,
      "operations that solutions are drawn with: + and any of - * /, a repeated one is drawn more "
      "often; a response may use all four");
    sizes.fields(v);
  }
};

// Prompt::answer is a reference solution: the verifier takes the numbers and the target from it.
PuzzleTask countdown(const CountdownOptions& options);

}  // namespace allot
