#include "allot/tasks/countdown.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "allot/core/error.h"
#include "allot/tasks/expression.h"

namespace allot {
namespace {

// A positive whole value and how it was reached.
struct Term {
  std::int64_t value = 0;
  std::string text;
  int precedence = 3;  // 1: sum or difference, 2: product or quotient, 3: number
};

std::string bracketed(const Term& term, bool needed) {
  return needed ? "(" + term.text + ")" : term.text;
}

// `a operation b` with no bracket more than its value needs; nothing if the value is not a positive
// whole number.
std::optional<Term> joined(const Term& a, char operation, const Term& b) {
  Term term;
  term.precedence = operation == '*' || operation == '/' ? 2 : 1;
  if (operation == '+') term.value = a.value + b.value;
  if (operation == '-') term.value = a.value - b.value;
  if (operation == '*') term.value = a.value * b.value;  // at most 99^6: no overflow
  if (operation == '/') term.value = a.value % b.value == 0 ? a.value / b.value : 0;
  if (term.value <= 0) return std::nullopt;
  const bool keeps_order = operation == '-' || operation == '/';  // a-(b-c) is not a-b-c
  term.text = bracketed(a, a.precedence < term.precedence) + operation +
              bracketed(b, b.precedence < term.precedence ||
                               (keeps_order && b.precedence == term.precedence));
  return term;
}

// Joins two random terms by a random operation until one is left. '+' is always possible.
Term random_expression(std::vector<Term> terms, std::string_view symbols, RandomStream& random) {
  while (terms.size() > 1) {
    random.shuffle(std::span(terms));
    std::optional<Term> term;
    while (!term)
      term = joined(terms[terms.size() - 2], symbols[random.below(symbols.size())], terms.back());
    terms.pop_back();
    terms.back() = std::move(*term);
  }
  return terms.front();
}

// With zeros in front, as wide as the longest number of the task: the same digit of the same number
// stands at the same place in all puzzles, which is what a small model learns by.
std::string padded(std::int64_t number, int widest) {
  const std::string text = std::to_string(number);
  const std::size_t width = std::to_string(widest).size();
  return std::string(width - std::min(width, text.size()), '0') + text;
}

std::string listed(std::span<const std::int64_t> numbers, int largest) {
  std::string text;
  for (const std::int64_t number : numbers)
    text += (text.empty() ? "" : ",") + padded(number, largest);
  return text;
}

Puzzle make_countdown(int count, const CountdownOptions& options, RandomStream& random) {
  const int largest = options.largest, largest_target = options.largest_target;
  constexpr int kTries = 100000;  // a few dozen are normal; the rarest settings need thousands
  for (int attempt = 0; attempt < kTries; ++attempt) {
    std::vector<std::int64_t> numbers;
    std::vector<Term> terms;
    for (int i = 0; i < count; ++i) {
      numbers.push_back(
          1 + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(largest))));
      terms.push_back({numbers.back(), padded(numbers.back(), largest)});
    }
    const Term solution = random_expression(std::move(terms), options.symbols, random);
    if (solution.value > largest_target) continue;
    Puzzle puzzle;
    puzzle.text = concat("make ", padded(solution.value, largest_target), ":",
                         listed(numbers, largest), "=>");
    puzzle.answer = puzzle.demonstration = solution.text;
    std::sort(numbers.begin(), numbers.end());
    puzzle.identity = concat(solution.value, ":", listed(numbers, largest));
    return puzzle;
  }
  throw Error(ErrorKind::Config, "data.countdown",
              concat("no puzzle of ", count, " numbers up to ", largest, " with a target up to ",
                     largest_target, " was found"),
              "raise data.countdown.largest_target");
}

std::vector<std::uint64_t> sorted(std::vector<std::uint64_t> numbers) {
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

Score score_countdown(const Prompt& prompt, std::string_view response) {
  const Expression gold = evaluate_expression(prompt.answer);
  if (!gold.ok())
    throw Error(ErrorKind::Data, "verifier.countdown",
                concat("the reference solution '", prompt.answer, "' has no value: ", gold.error));
  const std::string_view text = trimmed(response);
  if (text.empty()) return no_answer("the response is empty");
  const Expression given = evaluate_expression(text);
  if (given.end == ExpressionEnd::Malformed) return no_answer(given.error);
  if (!given.ok()) return wrong(std::string(text), given.error);
  if (sorted(given.numbers) != sorted(gold.numbers))
    return wrong(std::string(text), "it does not use every given number exactly once");
  // The class of an answer is its value, so different ways to the target agree with each other. The
  // sign keeps it apart from a response that just states the number.
  const std::string reached = "=" + given.value;
  if (given.value == gold.value) return right(reached);
  return wrong(reached, concat("its value is ", given.value, ", not ", gold.value));
}

}  // namespace

PuzzleTask countdown(const CountdownOptions& options) {
  options.numbers.validate("data.countdown.numbers");
  if (options.symbols.find('+') == std::string::npos ||
      options.symbols.find_first_not_of("+-*/") != std::string::npos)
    throw Error(ErrorKind::Config, "data.countdown.symbols",
                concat("'", options.symbols, "' was given; + and any of - * / are needed"));
  PuzzleTask task;
  task.name = "countdown";
  task.levels = options.numbers;
  task.sizes = options.sizes;
  task.make = [options](int level, RandomStream& random) {
    return make_countdown(level, options, random);
  };
  task.score = score_countdown;
  const auto count = static_cast<std::size_t>(options.numbers.max);
  const std::size_t digits = std::to_string(options.largest).size();
  task.longest_prompt = std::string("make ").size() +
                        std::to_string(options.largest_target).size() + std::string(":").size() +
                        count * digits + count - 1 + std::string("=>").size();
  // Every operation but the last may need a pair of brackets.
  task.longest_response = count * digits + (count - 1) + 2 * (count - 2);
  return task;
}

}  // namespace allot
