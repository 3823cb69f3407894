#include "allot/tasks/chain_arithmetic.h"

#include <algorithm>
#include <array>
#include <sstream>

#include <gtest/gtest.h>

namespace allot {
namespace {

// The exact value of the whole chain in 64 bits, reduced only at the end: ring homomorphism says
// that the order of reductions cannot matter. At most 9 products by 9: no overflow.
long long value_of(const std::string& chain, int modulus, std::vector<long long>* steps) {
  std::istringstream in(chain);
  long long value = 0;
  in >> value;
  steps->push_back(value % modulus);
  char operation = 0, digit = 0;
  while (in >> operation && operation != '.' && in >> digit) {
    const int operand = digit - '0';
    if (operation == '+') value += operand;
    if (operation == '-') value -= operand;
    if (operation == '*') value *= operand;
    steps->push_back((value % modulus + modulus) % modulus);
  }
  return (value % modulus + modulus) % modulus;
}

void check_chains(int modulus, int max_operations) {
  ChainArithmeticOptions options;
  options.modulus = modulus;
  options.operations.max = max_operations;
  options.symbols = "+-*";
  const std::string start = "mod" + std::to_string(modulus) + ":";
  std::size_t fewest = 99, most = 0;
  for (const Prompt& prompt : draw_puzzles(chain_arithmetic(options)).train) {
    ASSERT_TRUE(prompt.text.starts_with(start) && prompt.text.ends_with("=>")) << prompt.text;
    const std::string chain =
        prompt.text.substr(start.size(), prompt.text.size() - start.size() - 2);
    std::vector<long long> steps;
    ASSERT_EQ(prompt.answer, std::to_string(value_of(chain, modulus, &steps))) << prompt.text;
    std::string shown;
    for (const long long step : steps) shown += (shown.empty() ? "" : ";") + std::to_string(step);
    ASSERT_EQ(prompt.demonstration, shown) << prompt.text;
    fewest = std::min(fewest, steps.size() - 1);
    most = std::max(most, steps.size() - 1);
  }
  EXPECT_EQ(fewest, 1u);
  EXPECT_EQ(most, static_cast<std::size_t>(max_operations));
}

TEST(ChainArithmetic, AnswersAndStepsAreTheChainsValues) {
  check_chains(100, 7);
  check_chains(10, 9);
  check_chains(1000, 9);
  check_chains(7, 5);
  check_chains(2, 4);
}

TEST(ChainArithmetic, OperandsAndOperationsAreThoseAskedFor) {
  ChainArithmeticOptions options;
  options.operations.min = 6;  // where chains are many, so distinct ones are still drawn two to one
  options.largest = 3;
  options.symbols = "++-";  // drawn two to one
  std::array<int, 128> seen{};
  for (const Prompt& prompt : draw_puzzles(chain_arithmetic(options)).train)
    for (const char c : prompt.text.substr(std::string("mod10:1").size()))
      ++seen[static_cast<unsigned char>(c)];
  EXPECT_EQ(seen['*'] + seen['0'] + seen['4'] + seen['9'], 0);
  EXPECT_GT(std::min({seen['1'], seen['2'], seen['3']}), 1000);
  EXPECT_NEAR(seen['+'], 2.0 * seen['-'], 0.1 * seen['+']);
}

TEST(ChainArithmetic, ThePartAfterTheLastSemicolonIsTheAnswer) {
  const ScoredVerifier verifier(chain_arithmetic({}).score);
  Prompt prompt;
  prompt.text = "mod100:7,+5,*3,-4=>";
  prompt.answer = "32";
  for (const char* response : {"12;36;32", "32", "32 ", "1;32", ";32", "x;32"})
    EXPECT_TRUE(verifier.score_one(prompt, response).correct) << response;
  EXPECT_EQ(verifier.score_one(prompt, "12;36;33").answer, "33");
  EXPECT_TRUE(verifier.score_one(prompt, "12;36;33").parsed);
  for (const char* response : {"12;36;33", "12;36", "032", "32;36"})
    EXPECT_FALSE(verifier.score_one(prompt, response).correct) << response;
  for (const char* response : {"", ";", "32;", "12;36;", "12,36,32", "32;;"})
    EXPECT_FALSE(verifier.score_one(prompt, response).parsed) << response;
}

}  // namespace
}  // namespace allot
