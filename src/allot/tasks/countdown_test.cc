#include "allot/tasks/countdown.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <sstream>

#include <gtest/gtest.h>

#include "allot/core/error.h"
#include "allot/tasks/expression.h"

namespace allot {
namespace {

struct Question {
  int target = 0;
  std::vector<int> numbers;
};

Question read(const std::string& text) {
  Question question;
  std::istringstream in(text.substr(5));
  char mark = 0;
  in >> question.target >> mark;
  for (int number = 0; in >> number;) {
    question.numbers.push_back(number);
    in >> mark;
  }
  return question;
}

// Brute force in doubles: join any two values by any operation until one is left.
bool reachable(const std::vector<double>& values, double target) {
  if (values.size() == 1) return std::abs(values[0] - target) < 1e-9;
  for (std::size_t i = 0; i < values.size(); ++i) {
    for (std::size_t j = 0; j < values.size(); ++j) {
      if (i == j) continue;
      std::vector<double> rest;
      for (std::size_t k = 0; k < values.size(); ++k)
        if (k != i && k != j) rest.push_back(values[k]);
      const double a = values[i], b = values[j];
      std::vector<double> results = {a + b, a - b, a * b};
      if (std::abs(b) > 1e-12) results.push_back(a / b);
      for (const double result : results) {
        rest.push_back(result);
        if (reachable(rest, target)) return true;
        rest.pop_back();
      }
    }
  }
  return false;
}

TEST(Countdown, EveryPuzzleIsSolvableByBruteForce) {
  CountdownOptions options;
  options.sizes.train = 300;
  options.sizes.test = 100;
  const PuzzleSets sets = draw_puzzles(countdown(options));
  std::map<std::size_t, int> sizes;
  for (const auto* side : {&sets.train, &sets.test}) {
    for (const Prompt& prompt : *side) {
      ASSERT_TRUE(prompt.text.starts_with("make ") && prompt.text.ends_with("=>")) << prompt.text;
      const Question question = read(prompt.text);
      ++sizes[question.numbers.size()];
      ASSERT_TRUE(question.target >= 1 && question.target <= 100) << prompt.text;
      for (const int number : question.numbers) ASSERT_TRUE(number >= 1 && number <= 50);
      const std::vector<double> values(question.numbers.begin(), question.numbers.end());
      ASSERT_TRUE(reachable(values, question.target)) << prompt.text;
    }
  }
  EXPECT_EQ(sizes.size(), 3u);
}

// One width for every number and target, so that equal places stand at equal positions.
TEST(Countdown, PromptsOfOneLevelHaveOneLength) {
  CountdownOptions options;
  options.symbols = "+-";
  std::map<std::ptrdiff_t, std::size_t> lengths;
  for (const Prompt& prompt : draw_puzzles(countdown(options)).train) {
    const auto level = std::count(prompt.text.begin(), prompt.text.end(), ',');
    const auto [known, fresh] = lengths.emplace(level, prompt.text.size());
    ASSERT_EQ(prompt.text.size(), known->second) << prompt.text;
    ASSERT_EQ(prompt.answer.find_first_of("*/"), std::string::npos) << prompt.answer;
  }
  EXPECT_EQ(lengths.size(), 3u);
}

TEST(Countdown, RefusesSymbolsWithoutPlus) {
  for (const char* symbols : {"", "-*", "+^", "+ -"}) {
    CountdownOptions options;
    options.symbols = symbols;
    EXPECT_THROW(countdown(options), Error) << symbols;
  }
}

// The reference solution belongs to the question that is asked, and its brackets are needed ones.
TEST(Countdown, ReferenceSolutionsUseTheNumbersOfThePrompt) {
  int with_brackets = 0, changed = 0;
  for (const Prompt& prompt : draw_puzzles(countdown({})).train) {
    Question question = read(prompt.text);
    const Expression solution = evaluate_expression(prompt.answer);
    ASSERT_EQ(solution.value, std::to_string(question.target)) << prompt.text;
    std::vector<int> used(solution.numbers.begin(), solution.numbers.end());
    std::sort(used.begin(), used.end());
    std::sort(question.numbers.begin(), question.numbers.end());
    ASSERT_EQ(used, question.numbers) << prompt.text;
    for (std::size_t open = prompt.answer.find('('); open != std::string::npos;
         open = prompt.answer.find('(', open + 1)) {
      ++with_brackets;
      int depth = 0;
      std::size_t close = open;
      while (depth += (prompt.answer[close] == '(') - (prompt.answer[close] == ')'), depth > 0)
        ++close;
      std::string without = prompt.answer;
      without.erase(close, 1).erase(open, 1);
      changed += evaluate_expression(without).value != solution.value;
    }
  }
  EXPECT_GT(with_brackets, 100);
  EXPECT_GT(changed, with_brackets * 3 / 4);  // the rest is chance: (5+6)*(8-7)
}

Prompt question_24() {
  Prompt prompt;
  prompt.text = "make 24:3,8,3,8=>";
  prompt.answer = "8/(3-8/3)";
  return prompt;
}

TEST(Countdown, AnyExpressionWithTheNumbersAndTheValueIsRight) {
  const ScoredVerifier verifier(countdown({}).score);
  EXPECT_TRUE(verifier.score_one(question_24(), "8/(3-8/3)").correct);
  EXPECT_TRUE(verifier.score_one(question_24(), " ( 8 / ( 3 - (8/3) ) ) ").correct);
  EXPECT_EQ(verifier.score_one(question_24(), "8/(3-8/3)").answer, "=24");
  Prompt easy;
  easy.answer = "3*8*1";
  for (const char* response : {"3*8*1", "8*3/1", "1*(8*3)", "8*3*1", "3*(8/1)"})
    EXPECT_TRUE(verifier.score_one(easy, response).correct) << response;
}

TEST(Countdown, WrongValuesNumbersAndDivisionByZeroAreReadButWrong) {
  const ScoredVerifier verifier(countdown({}).score);
  const std::map<std::string, std::string> reasons = {
      {"8+8+3+3", "its value is 22, not 24"},
      {"8/3+8/3", "its value is 16/3, not 24"},
      {"3*8", "it does not use every given number exactly once"},
      {"24", "it does not use every given number exactly once"},
      {"3*8+3-3", "it does not use every given number exactly once"},
      {"3*8+8-8", "it does not use every given number exactly once"},
      {"3*8+0*38", "it does not use every given number exactly once"},
      {"8/(3-3)+8", "it divides by zero"},
  };
  for (const auto& [response, reason] : reasons) {
    const Score score = verifier.score_one(question_24(), response);
    EXPECT_FALSE(score.correct) << response;
    EXPECT_TRUE(score.parsed) << response;
    EXPECT_EQ(score.reason, reason) << response;
    EXPECT_FALSE(score.answer.empty()) << response;
    EXPECT_NE(score.answer, "=24") << "a wrong answer must not vote for the right one";
  }
  for (const char* response : {"", "8/(3-8/3", "8/(3-8/3)=24", "-3+8", "3 8", "make 24"})
    EXPECT_FALSE(verifier.score_one(question_24(), response).parsed) << response;
}

TEST(Countdown, ABrokenReferenceIsAVerifierError) {
  Prompt prompt;
  prompt.answer = "24:3,8,1";
  EXPECT_EQ(ScoredVerifier(countdown({}).score).score_one(prompt, "3*8*1").scoring,
            Scoring::VerifierError);
}

}  // namespace
}  // namespace allot
