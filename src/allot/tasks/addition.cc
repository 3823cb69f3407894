#include "allot/tasks/addition.h"

#include <algorithm>
#include <utility>

namespace allot {
namespace {

// A uniform number of exactly `digits` digits, 1 .. 18; of one digit: 0 .. 9.
std::uint64_t draw_number(int digits, RandomStream& random) {
  std::uint64_t low = 1;
  for (int i = 1; i < digits; ++i) low *= 10;
  return digits == 1 ? random.below(10) : low + random.below(9 * low);
}

}  // namespace

PuzzleTask addition(const AdditionOptions& options) {
  options.digits.validate("data.addition.digits");
  PuzzleTask task;
  task.name = "addition";
  task.levels = options.digits;
  task.sizes = options.sizes;
  task.make = [](int level, RandomStream& random) {
    const int shortest = (level + 1) / 2;
    const int other =
        shortest + static_cast<int>(random.below(static_cast<std::uint64_t>(level - shortest) + 1));
    std::uint64_t a = draw_number(level, random), b = draw_number(other, random);
    if (random.below(2) == 1) std::swap(a, b);
    Puzzle puzzle;
    puzzle.text = std::to_string(a) + "+" + std::to_string(b) + "=>";
    puzzle.identity = std::to_string(std::min(a, b)) + "+" + std::to_string(std::max(a, b));
    puzzle.answer = puzzle.demonstration = std::to_string(a + b);  // at most 2e18: no overflow
    return puzzle;
  };
  task.score = [](const Prompt& prompt, std::string_view response) {
    return score_digits(prompt.answer, response);
  };
  const auto digits = static_cast<std::size_t>(options.digits.max);
  task.longest_prompt = 2 * digits + std::string("+=>").size();
  task.longest_response = digits + 1;
  return task;
}

}  // namespace allot
