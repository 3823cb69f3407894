#include "allot/tasks/digit_sort.h"

#include <algorithm>

namespace allot {

PuzzleTask digit_sort(const DigitSortOptions& options) {
  options.digits.validate("data.digit_sort.digits");
  PuzzleTask task;
  task.name = "digit_sort";
  task.levels = options.digits;
  task.sizes = options.sizes;
  task.make = [](int level, RandomStream& random) {
    std::string digits;
    for (int i = 0; i < level; ++i) digits += static_cast<char>('0' + random.below(10));
    Puzzle puzzle;
    puzzle.text = "sort:" + digits + "=>";
    puzzle.identity = digits;
    std::sort(digits.begin(), digits.end());
    puzzle.answer = puzzle.demonstration = digits;
    return puzzle;
  };
  task.score = [](const Prompt& prompt, std::string_view response) {
    return score_digits(prompt.answer, response);
  };
  task.longest_response = static_cast<std::size_t>(options.digits.max);
  task.longest_prompt = task.longest_response + std::string("sort:=>").size();
  return task;
}

}  // namespace allot
