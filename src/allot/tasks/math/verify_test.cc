// Extraction (section 3 of the verifier specification), spelling (4) and adversarial input (8).
#include "allot/tasks/math/verify.h"

#include <thread>

#include <gtest/gtest.h>

#include "allot/tasks/math/testing/verdicts.h"
#include "allot/tasks/math/work.h"

namespace allot::verify {
namespace {

using testing::flexible;
using testing::responds;
using testing::same;
using testing::status;

std::string extracted(std::string_view response, const MathOptions& options = {}) {
  return verify(prepare("1", options), response, options).extracted;
}

TEST(Extraction, TheLastGroupOfBoxesCounts) {
  EXPECT_EQ(extracted("\\boxed{3} no, \\boxed{4}"), "4");
  EXPECT_EQ(extracted("\\boxed{3} and $\\boxed{4}$"), "3, 4");
  EXPECT_EQ(extracted("\\boxed{3}, \\boxed{3}"), "3");
  EXPECT_EQ(extracted("\\boxed{\\boxed{7}}"), "7");
  EXPECT_EQ(extracted("\\boxed{\\frac{1}{2}} then \\boxed{\\frac{1}{"), "\\frac{1}{2}");
  EXPECT_EQ(extracted("\\boxed 7 of them"), "7");
  EXPECT_EQ(extracted("\\fbox{8}"), "8");
}

TEST(Extraction, AnEmptyBoxIsPassedOver) {
  const Verdict verdict = verify(prepare("5", {}), "\\boxed{5} and so \\boxed{ }", {});
  EXPECT_TRUE(verdict.correct());
  EXPECT_TRUE(verdict.flags & kEmptyBox);
}

TEST(Extraction, LadderGoesFromBoxToCue) {
  EXPECT_EQ(extracted("answer: 1 <answer>2</answer> \\boxed{3}"), "3");
  EXPECT_EQ(extracted("The answer is 1. <answer>2</answer>\n#### 3"), "2");
  EXPECT_EQ(extracted("The answer is 1.\n#### 3\n"), "3");
  EXPECT_EQ(extracted("The answer is 1. I hope it is correct."), "1");
  EXPECT_EQ(extracted("Final answer: $\\frac{1}{2}$ because of symmetry"), "\\frac{1}{2}");
  EXPECT_EQ(extracted("The answer is 3.5."), "3.5");
  EXPECT_EQ(extracted("Answer: The area is 12 cm."), "12 cm");
  EXPECT_NE(responds("6", "Answer: either it is 5 or it is 6"), "correct");
}

TEST(Extraction, FlexibleTakesTheLastFormulaThenTheLastNumber) {
  const MathOptions options = flexible();
  EXPECT_EQ(extracted("First comes $x = 4$, later $x = 5$, as anybody can see for himself, surely",
                      options),
            "x = 5");
  EXPECT_EQ(extracted("We count 17 of them here, and in the end 1,250 there, which is all we need",
                      options),
            "1,250");
  EXPECT_EQ(extracted("It drops by 30%, which no one of all those experts could have told before",
                      options),
            "30%");
  EXPECT_EQ(extracted("We get -12 in the end. Now Step 3 follows, but there is nothing left to do",
                      options),
            "-12");
}

TEST(Extraction, ReasoningIsNoAnswer) {
  EXPECT_EQ(responds("5", "<think>\\boxed{5}</think> I give up on this one, sorry for the noise!"),
            "no_answer");
  EXPECT_EQ(responds("5", "<think>so \\boxed{5}"), "no_answer");
  EXPECT_EQ(responds("5", "<think>or 6</think>\\boxed{5}"), "correct");
  EXPECT_EQ(responds("5", "<think>a</think>\\boxed{5}</think>\\boxed{6}"), "wrong");
  MathOptions options;
  options.prompt_opens_think = true;
  EXPECT_EQ(responds("5", "so \\boxed{5}", options), "no_answer");
  EXPECT_EQ(responds("5", "so</think> \\boxed{5}", options), "correct");
}

TEST(Extraction, BoxesThatDisagree) {
  const char* text = "\\boxed{4}, checked again: it is \\boxed{5}";
  EXPECT_TRUE(verify(prepare("5", {}), text, {}).flags & kConflict);
  EXPECT_EQ(responds("5", text), "correct");
  MathOptions options;
  options.boxes = Boxes::AllEqual;
  EXPECT_EQ(responds("5", text, options), "wrong");
  EXPECT_EQ(responds("5", "\\boxed{5} which is again \\boxed{\\frac{10}{2}}", options), "correct");
}

TEST(Extraction, GoldsMayHoldABoxOrARationale) {
  EXPECT_TRUE(same("We add and get 3 + 4 = 7\n#### 7", "7"));
  EXPECT_TRUE(same("Hence $x = \\boxed{12}$.", "12"));
}

TEST(Spelling, OneValueWrittenInSeveralWays) {
  const char* halves[] = {"\\frac{1}{2}",
                          "\\dfrac{1}{2}",
                          "\\tfrac12",
                          "\\frac1{2}",
                          "1/2",
                          "$\\frac{1}{2}$",
                          "\\(1/2\\)",
                          "\\left(\\frac{1}{2}\\right)",
                          "\xC2\xBD",
                          "0.5",
                          ".5",
                          "**1/2**",
                          "\\frac{1}{2}.",
                          "\\boxed{\\frac{1}{2}}",
                          "\\text{ }\\frac{1}{2}",
                          "\\displaystyle\\frac{1}{2}",
                          "\\!\\frac{1}{2}",
                          "\\\\frac{1}{2}"};
  for (const char* gold : halves)
    for (const char* answer : halves) EXPECT_TRUE(same(gold, answer)) << gold << " | " << answer;
  EXPECT_TRUE(same("-3",
                   "\xE2\x88\x92"
                   "3"));
  EXPECT_TRUE(same("x^2", "x\xC2\xB2"));
  EXPECT_TRUE(same("2\\pi", "2\xCF\x80"));
  EXPECT_TRUE(same("\\sqrt{3}",
                   "\xE2\x88\x9A"
                   "3"));
  EXPECT_TRUE(same("12", "\xD9\xA1\xD9\xA2"));       // Arabic-Indic digits
  EXPECT_TRUE(same("\\frac{3}{4}", "\frac{3}{4}"));  // an escape that became a form feed
}

TEST(Exact, RadicalsPowersLogarithmsAngles) {
  EXPECT_TRUE(same("2\\sqrt{3}", "\\sqrt{12}"));
  EXPECT_TRUE(same("\\frac{\\sqrt{2}}{2}", "\\frac{1}{\\sqrt{2}}"));
  EXPECT_TRUE(same("1 + \\sqrt{2}", "\\sqrt{3 + 2\\sqrt{2}}"));
  EXPECT_TRUE(same("\\sqrt[3]{16}", "2\\sqrt[3]{2}"));
  EXPECT_TRUE(same("-2", "\\sqrt[3]{-8}"));
  EXPECT_TRUE(same("8^{x}", "2^{3x}"));
  EXPECT_TRUE(same("2^{n+1}", "2 \\cdot 2^n"));
  EXPECT_TRUE(same("3\\ln 2", "\\ln 8"));
  EXPECT_TRUE(same("\\log_2 8", "3"));
  EXPECT_TRUE(same("\\sin\\frac{\\pi}{12}", "\\frac{\\sqrt{6} - \\sqrt{2}}{4}"));
  EXPECT_TRUE(same("5!", "120"));
  EXPECT_TRUE(same("\\binom{6}{2}", "15"));
  EXPECT_TRUE(same("(x+1)^2", "x^2 + 2x + 1"));
  EXPECT_TRUE(same("\\frac{x^2 - 1}{x - 1}", "x + 1"));
  EXPECT_TRUE(same("\\sin^2 x + \\cos^2 x", "1"));
  EXPECT_FALSE(same("2\\sqrt{3}", "\\sqrt{13}"));
  EXPECT_FALSE(same("(x+1)^2", "x^2 + 1"));
  EXPECT_FALSE(same("\\ln 2", "\\log 2"));
  EXPECT_FALSE(same("a^{bc}", "(a^b)^c"));
  EXPECT_FALSE(same("\\sqrt{x-3}\\sqrt{x-5}", "\\sqrt{(x-3)(x-5)}"));
}

// By values at points, as no exact form is common to both sides.
TEST(Values, OddRootsOfWhatIsBelowZero) {
  EXPECT_TRUE(same("\\frac{1-\\sqrt5}{2}x", "\\sqrt[3]{2-\\sqrt5}\\cdot x"));
  EXPECT_TRUE(same("-\\sqrt[3]{\\cos x+2}", "\\sqrt[3]{\\sin(x-\\frac{\\pi}{2})-2}"));
  EXPECT_FALSE(same("\\sqrt[3]{\\cos x+2}", "\\sqrt[3]{\\sin(x-\\frac{\\pi}{2})-2}"));
}

TEST(Adversarial, GuessesDoNotPay) {
  const char* guesses[] = {"3, 5 or 8",
                           "x = 5 or x = 8",
                           "4 to 6",
                           "(4, 6)",
                           "4 < x < 6",
                           "n, where n is the answer",
                           "5, 6",
                           "any of 5",
                           "not 5",
                           "all of the above",
                           "\\{5, 6\\}",
                           "0/0",
                           "5 \\text{ or } 6",
                           "5 = 6",
                           "output True",
                           "\\infty - \\infty"};
  for (const char* guess : guesses) EXPECT_NE(status("5", guess), "correct") << guess;
  EXPECT_EQ(responds("5", "\\boxed{5} or better: my final one is \\boxed{6}"), "wrong");
  EXPECT_FALSE(same("17", "\\def\\a{17}\\a"));
  EXPECT_FALSE(same("120", "12 times 10 m"));
  EXPECT_FALSE(same("\\log 0", "\\log 0"));
}

TEST(Adversarial, LookAlikesStayDifferent) {
  EXPECT_FALSE(same("a + 1", "\xD0\xB0 + 1"));  // a Cyrillic letter
  EXPECT_FALSE(same("10", "1O"));
  EXPECT_FALSE(same("10", "l0"));
  EXPECT_TRUE(same("10",
                   "1\xE2\x80\x8B"
                   "0"));  // an invisible space
  EXPECT_EQ(status("nan", "5"), "wrong");
  EXPECT_FALSE(same("1e999", "1e998"));
  EXPECT_TRUE(same("1e999", "1e999"));
}

// Whatever it is, it ends within the budget, and the numbers of steps say so.
TEST(Adversarial, CostIsBounded) {
  std::vector<std::string> attacks;
  const auto repeated = [](const std::string& part, int times) {
    std::string all;
    for (int i = 0; i < times; ++i) all += part;
    return all;
  };
  attacks.push_back(repeated("(", 2000) + "1" + repeated(")", 2000));
  attacks.push_back(repeated("{", 60) + "1" + repeated("}", 60));
  attacks.push_back(repeated("\\frac{", 500));
  attacks.push_back(repeated("\\sqrt{", 63) + "x" + repeated("}", 63));
  attacks.push_back("9^{9^{9^{9^9}}}");
  attacks.push_back("9^{999999}");
  attacks.push_back("(((9!)!)!)!");
  attacks.push_back("(a+b+c+d+e+f+g)^{60}");
  attacks.push_back("(a+b+c+d)^{30}(a+b-c-d)^{30}");
  attacks.push_back(std::string(3000, '9'));
  attacks.push_back("1e99999999999");
  attacks.push_back(repeated("1+", 2000) + "1");
  attacks.push_back(repeated("x*", 2000) + "x");
  attacks.push_back(repeated("1,", 2000) + "1");
  attacks.push_back(repeated("-", 4000) + "1");
  attacks.push_back(repeated("x^", 1000) + "x");
  attacks.push_back(repeated("\\sin(", 60) + "x" + repeated(")", 60));
  attacks.push_back("\\sin(x)" + repeated("+\\sin(x+1)\\cos(x+y)", 100));
  attacks.push_back("|" + repeated("|x|", 60) + "|");
  attacks.push_back(repeated("\\pm 1", 30));
  attacks.push_back("10^{10^{10}}");
  attacks.push_back("\\begin{pmatrix}" + repeated("1&", 300) + "1\\end{pmatrix}");
  const char* golds[] = {"5", "\\sqrt{2} + \\sqrt{3}", "x + \\sin y", "1, 2, 3", "(1, 2)",
                         "B", "\\text{word}",          "x^2 + y = 1"};
  for (const std::string& attack : attacks)
    for (const char* gold : golds) {
      const Verdict verdict = equivalent(prepare(gold, {}), attack, {});
      EXPECT_NE(verdict.status, VerdictStatus::Correct) << gold << " | " << attack.substr(0, 60);
      EXPECT_NE(verdict.status, VerdictStatus::Fault) << gold << " | " << attack.substr(0, 60);
      EXPECT_LE(verdict.steps, 2 * kSteps) << attack.substr(0, 60);
    }
}

// Numbers too long to write out are compared as symbols; where that does not decide, it is a limit.
TEST(Adversarial, HugeNumbersAreALimitUnlessTheirPowersMatch) {
  for (const char* huge : {"2^{10000}", "9^{9^{9^9}}", "100000!", "3^{10^{12}}"}) {
    EXPECT_EQ(status("5", huge), "limit") << huge;
    EXPECT_EQ(status(huge, huge), "correct") << huge;
  }
  EXPECT_EQ(status("4^{5000}", "2^{10000}"), "correct");
  EXPECT_EQ(status("5", "2^{100}"), "wrong");
  EXPECT_EQ(status("x^{10000}", "x^{9999}"), "wrong");
}

TEST(Adversarial, LongTexts) {
  std::string text;
  for (int i = 0; i < 20000; ++i) text += "\\boxed{";
  EXPECT_NE(responds("5", text), "fault");
  EXPECT_EQ(responds("5", std::string(100000, '$') + "\\boxed{5}"), "correct");
  EXPECT_EQ(responds("5", std::string(2 << 20, 'x') + " \\boxed{5}"), "correct");
  EXPECT_EQ(responds("5", "\\boxed{" + std::string(100000, '7') + "}"), "unparseable");
  std::string garbage;
  for (int i = 0; i < 100000; ++i) garbage += static_cast<char>((i * 7919 + i / 255) % 256);
  EXPECT_NE(responds("5", garbage, flexible()), "fault");
  EXPECT_NE(status("5", garbage), "fault");
}

TEST(Verdicts, DoNotDependOnThreadsOrRepetition) {
  const std::vector<std::pair<std::string, std::string>> pairs = {{"2\\sqrt{3}", "\\sqrt{12}"},
                                                                  {"\\sin^2 x", "1 - \\cos^2 x"},
                                                                  {"(1, 2)", "(1, 3)"},
                                                                  {"x > 3", "(3, \\infty)"},
                                                                  {"5", "6"},
                                                                  {"\\sqrt{x^2}", "x"}};
  const auto all = [&] {
    std::string out;
    for (const auto& [gold, answer] : pairs) {
      const Verdict verdict = equivalent(prepare(gold, {}), answer, {});
      out += std::string(name(verdict.status)) + std::string(name(verdict.tier)) +
             std::to_string(verdict.steps) + " ";
    }
    return out;
  };
  const std::string expected = all();
  std::vector<std::string> found(4);
  std::vector<std::thread> threads;
  for (std::string& one : found)
    threads.emplace_back([&] {
      for (int i = 0; i < 3; ++i) one = all();
    });
  for (std::thread& thread : threads) thread.join();
  for (const std::string& one : found) EXPECT_EQ(one, expected);
}

TEST(Verdicts, GoldErrorComesFirst) {
  for (const char* gold : {"", "\\frac{1}{", "(1, 2", "0/0", "\\unknowncommand{3}"})
    EXPECT_EQ(status(gold, ""), "gold_error") << gold;
  EXPECT_EQ(prepare("5", {}).status(), VerdictStatus::Correct);
  EXPECT_FALSE(prepare("0/0", {}).problem().empty());
}

TEST(Verdicts, CannotParseIsNotWrong) {
  EXPECT_EQ(status("5", "\\frac{1}{2"), "unparseable");
  EXPECT_EQ(status("5", "6"), "wrong");
  EXPECT_EQ(responds("5", "\\boxed{\\unknowncommand}"), "unparseable");
}

}  // namespace
}  // namespace allot::verify
