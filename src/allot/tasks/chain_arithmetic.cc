#include "allot/tasks/chain_arithmetic.h"

#include "allot/core/error.h"

namespace allot {
namespace {

int applied(char operation, int value, int operand, int modulus) {
  int result = value;
  if (operation == '+') result += operand;
  if (operation == '-') result -= operand;
  if (operation == '*') result *= operand;
  return (result % modulus + modulus) % modulus;
}

// Padded with dots to the most operations: the k-th operation and the k-th step stand at the same
// distance in all puzzles, so what is learned on short chains serves long ones.
Puzzle make_chain(int operations, const ChainArithmeticOptions& options, RandomStream& random) {
  int value = 1 + static_cast<int>(random.below(9));
  const std::string first = std::to_string(value);
  value %= options.modulus;
  // The scratch pad begins with the value itself: then every step, the first one too, reads the
  // value before it, its operation and its operand at the same distances.
  std::string chain = first, steps = std::to_string(value);
  for (int i = 0; i < operations; ++i) {
    const char operation = options.symbols[random.below(options.symbols.size())];
    // Operands 0 and 1 are left out where they would make the operation (and for 0 the whole chain
    // before it) pointless.
    const int least = operation == '*' ? 2 : 1;
    const int operand =
        least +
        static_cast<int>(random.below(static_cast<std::uint64_t>(options.largest + 1 - least)));
    value = applied(operation, value, operand, options.modulus);
    chain += concat(operation, operand);
    steps += concat(";", value);
  }
  Puzzle puzzle;
  const std::string dots(2 * static_cast<std::size_t>(options.operations.max - operations), '.');
  puzzle.text = concat("mod", options.modulus, ":", chain, dots, "=>");
  puzzle.identity = chain;
  puzzle.answer = std::to_string(value);
  puzzle.demonstration = steps;
  return puzzle;
}

}  // namespace

PuzzleTask chain_arithmetic(const ChainArithmeticOptions& options) {
  options.operations.validate("data.chain_arithmetic.operations");
  if (options.symbols.empty() || options.symbols.find_first_not_of("+-*") != std::string::npos)
    throw Error(ErrorKind::Config, "data.chain_arithmetic.symbols",
                concat("'", options.symbols, "' was given; one or more of + - * are needed"));
  PuzzleTask task;
  task.name = "chain_arithmetic";
  task.levels = options.operations;
  task.sizes = options.sizes;
  task.make = [options](int level, RandomStream& random) {
    return make_chain(level, options, random);
  };
  task.score = [](const Prompt& prompt, std::string_view response) {
    const std::size_t last = response.rfind(';');
    return score_digits(prompt.answer,
                        last == std::string_view::npos ? response : response.substr(last + 1));
  };
  const auto operations = static_cast<std::size_t>(options.operations.max);
  const std::size_t value_digits = std::to_string(options.modulus - 1).size();
  task.longest_prompt = std::string("mod").size() + std::to_string(options.modulus).size() +
                        std::string(":0").size() + 2 * operations + std::string("=>").size();
  task.longest_response = (operations + 1) * (value_digits + 1) - 1;
  return task;
}

}  // namespace allot
