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

// With leading zeros: digits of one place value stand at equal distances in all puzzles, so what is
// learned on short numbers serves long ones.
std::string padded(std::uint64_t number, int digits) {
  const std::string text = std::to_string(number);
  const std::size_t width = static_cast<std::size_t>(digits);
  return std::string(width - std::min(width, text.size()), '0') + text;
}

std::string_view without_leading_zeros(std::string_view digits) {
  while (digits.size() > 1 && digits.front() == '0') digits.remove_prefix(1);
  return digits;
}

}  // namespace

PuzzleTask addition(const AdditionOptions& options) {
  options.digits.validate("data.addition.digits");
  PuzzleTask task;
  task.name = "addition";
  task.levels = options.digits;
  task.sizes = options.sizes;
  task.make = [width = options.digits.max](int level, RandomStream& random) {
    const int shortest = (level + 1) / 2;
    const int other =
        shortest + static_cast<int>(random.below(static_cast<std::uint64_t>(level - shortest) + 1));
    std::uint64_t a = draw_number(level, random), b = draw_number(other, random);
    if (random.below(2) == 1) std::swap(a, b);
    Puzzle puzzle;
    puzzle.text = padded(a, width) + "+" + padded(b, width) + "=>";
    puzzle.identity = std::to_string(std::min(a, b)) + "+" + std::to_string(std::max(a, b));
    puzzle.answer = std::to_string(a + b);  // at most 2e18: no overflow
    puzzle.demonstration = padded(a + b, width + 1);
    return puzzle;
  };
  task.score = [](const Prompt& prompt, std::string_view response) {
    return score_digits(prompt.answer, without_leading_zeros(response));
  };
  const auto digits = static_cast<std::size_t>(options.digits.max);
  task.longest_prompt = 2 * digits + std::string("+=>").size();
  task.longest_response = digits + 1;
  return task;
}

}  // namespace allot
