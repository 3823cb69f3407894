// One test per convention of the verifier specification, section 6: what is equal, what is not, and
// what its option switches. The cases are our own.
#include <gtest/gtest.h>

#include "allot/tasks/math/testing/verdicts.h"

namespace allot::verify {
namespace {

using testing::flags;
using testing::flexible;
using testing::responds;
using testing::same;
using testing::status;

#define SAME(gold, answer) EXPECT_TRUE(same(gold, answer)) << (gold) << "  |  " << (answer)
#define DIFFER(gold, answer) EXPECT_FALSE(same(gold, answer)) << (gold) << "  |  " << (answer)

TEST(Conventions, K1Percent) {
  SAME("35\\%", "35");
  SAME("35\\%", "0.35");
  SAME("0.35", "35\\%");
  SAME("35", "35 percent");
  SAME("35%", "35\\%");
  DIFFER("35\\%", "0.35\\%");
  DIFFER("35", "0.35");
  DIFFER("0.35", "35");
  EXPECT_TRUE(flags("35\\%", "35") & kLenientK1);
  MathOptions options;
  options.percent = false;
  EXPECT_FALSE(same("35\\%", "35", options));
  EXPECT_TRUE(same("35\\%", "0.35", options));
}

TEST(Conventions, K2OrderInLists) {
  SAME("2, 5, 9", "9, 2, 5");
  SAME("2 \\text{ and } 5", "5, 2");
  SAME("2; 5", "5 or 2");
  SAME("\\{2, 5\\}", "\\{5, 2\\}");
  SAME("\\{2, 5\\}", "\\{5, 2, 2\\}");
  DIFFER("2, 2, 5", "2, 5, 5");
  DIFFER("(2, 5, 9)", "(9, 2, 5)");
  DIFFER("2, 5, 9", "2, 5");
}

TEST(Conventions, K3ListsWithLabels) {
  SAME("x = 2, y = 7", "y = 7, x = 2");
  DIFFER("x = 2, y = 7", "x = 7, y = 2");
  SAME("x = 2, y = 7", "2, 7");
  DIFFER("x = 2, y = 7", "7, 2");
  SAME("x_1 = 2, x_2 = 7", "7, 2");
  SAME("x = 2, x = 7", "7, 2");
}

TEST(Conventions, K4UnreducedFractions) {
  SAME("\\frac{3}{4}", "\\frac{9}{12}");
  MathOptions options;
  options.require_reduced = true;
  EXPECT_FALSE(same("\\frac{3}{4}", "\\frac{9}{12}", options));
  EXPECT_TRUE(same("\\frac{3}{4}", "0.75", options));
}

TEST(Conventions, K5MixedNumbers) {
  SAME("\\frac{11}{4}", "2\\frac{3}{4}");
  SAME("2.75", "2 3/4");
  SAME("2\\frac34", "\\frac{11}{4}");
  DIFFER("\\frac{3}{2}", "2\\frac{3}{4}");
  SAME("\\frac{ab}{c}", "a\\frac{b}{c}");
}

TEST(Conventions, K6Units) {
  SAME("12", "12 cm");
  SAME("12\\text{ cm}", "12");
  SAME("12 \\text{ centimeters}", "12 cm");
  SAME("60 \\text{ km/h}", "60 kilometers per hour");
  DIFFER("12 cm", "12 m");
  DIFFER("12\\text{ cm}^2", "12 cm");
  DIFFER("1 m", "100 cm");
  EXPECT_TRUE(flags("12", "12 cm") & kLenientK6);
  MathOptions options;
  options.unit_conversion = true;
  EXPECT_TRUE(same("1 m", "100 cm", options));
  EXPECT_FALSE(same("1 m", "100 kg", options));
  MathOptions strict;
  strict.require_unit = true;
  EXPECT_FALSE(same("12 cm", "12", strict));
  EXPECT_TRUE(same("12 cm", "12 cm", strict));
}

TEST(Conventions, K7WhatIsAUnit) {
  SAME("4", "4 m");
  SAME("4", "4km");
  SAME("4", "4m^2");
  SAME("4", "4\xC2\xA0m\xC2\xB2");
  DIFFER("4", "4m");
  SAME("4m", "m \\cdot 4");
  DIFFER("4", "4 x");
}

TEST(Conventions, K8Annotations) {
  SAME("17", "17\\text{ ways to do it}");
  SAME("17", "17 apples");
  DIFFER("17", "17\\text{ or } 18");
  DIFFER("17", "17\\text{ and 3 more}");
  DIFFER("17", "17\\text{ not}");
  EXPECT_TRUE(flags("17", "17 apples") & kLenientK8);
}

TEST(Conventions, K9Currency) {
  SAME("\\$40", "40");
  SAME("40", "$40");
  SAME("40", "40 dollars");
  SAME("\\$40", "40 dollars");
  DIFFER("\\$40", "40 cents");
  DIFFER("\\$1", "100 cents");
}

TEST(Conventions, K10NumericTolerance) {
  SAME("\\frac{1}{3}", "0.333333");
  SAME("\\frac{2}{3}", "0.666667");
  SAME("\\frac{2}{3}", "0.666666");
  DIFFER("\\frac{1}{3}", "0.33333");
  DIFFER("\\frac{1}{3}", "0.333335");
  SAME("\\sqrt{2}", "1.414214");
  SAME("\\sqrt{2}", "1.41421");
  DIFFER("\\sqrt{2}", "1.414");
  DIFFER("\\sqrt{2}", "1.414216");
  SAME("3.1415927", "3.14159265");
  DIFFER("3", "2.9999999");
  DIFFER("1234567", "1234568");
  DIFFER("0.5", "0.500001");
  DIFFER("7", "7.001");
  EXPECT_TRUE(flags("\\sqrt{2}", "1.414214") & kLenientK10);
}

TEST(Conventions, K11RoundedGold) {
  DIFFER("0.43", "\\frac{3}{7}");
  MathOptions options;
  options.rounded_gold = true;
  EXPECT_TRUE(same("0.43", "\\frac{3}{7}", options));
  EXPECT_TRUE(same("1.41", "\\sqrt{2}", options));
  EXPECT_FALSE(same("0.44", "\\frac{3}{7}", options));
  MathOptions relative;
  relative.rel_tol = 0.01;
  EXPECT_TRUE(same("100", "100.9", relative));
  EXPECT_FALSE(same("100", "101.1", relative));
}

TEST(Conventions, K12RepeatingDecimals) {
  SAME("0.\\overline{3}", "\\frac{1}{3}");
  SAME("0.1\\overline{6}", "\\frac{1}{6}");
  SAME("2.\\overline{45}", "\\frac{27}{11}");
  DIFFER("0.\\overline{3}", "0.33");
  SAME("0.\\overline{3}", "0.333333");
}

TEST(Conventions, K13ThousandsAndDecimalCommas) {
  SAME("12345", "12,345");
  SAME("1234567", "1,234,567");
  SAME("12345", "12\\,345");
  SAME("12345", "12{,}345");
  SAME("12345", "12 345");
  SAME("12345", "12,\\!345");
  SAME("3.5", "3,5");
  SAME("3,5", "3.5");
  DIFFER("3.5", "3, 5");
  DIFFER("(3, 500)", "3500");
  DIFFER("3,5", "35");
  EXPECT_TRUE(flags("3.5", "3,5") & kLenientK13);
}

TEST(Conventions, K14IntervalAgainstInequality) {
  SAME("(2, 7]", "2 < x \\le 7");
  SAME("2 < x \\le 7", "x \\in (2, 7]");
  SAME("x > 3", "(3, \\infty)");
  SAME("(-\\infty, 1) \\cup (4, \\infty)", "x < 1 \\text{ or } x > 4");
  SAME("x \\ge 2", "2 \\le x");
  SAME("x < 2", "3x < 6");
  DIFFER("(2, 7]", "2 < x < 7");
  DIFFER("x > 3", "x > 4");
  DIFFER("x > 3", "y > 3");
  DIFFER("x > 3", "x < 3");
  DIFFER("x < 2", "-3x < -6");
  EXPECT_TRUE(flags("(2, 7]", "2 < x \\le 7") & kLenientK14);
}

TEST(Conventions, K15TextAndChoices) {
  SAME("\\text{Tuesday}", "tuesday");
  SAME("B", "(B)");
  SAME("B", "\\text{(B)}");
  SAME("(B)", "b");
  SAME("B", "B. the second one");
  SAME("(C) Miriam", "C");
  DIFFER("B", "C");
  DIFFER("\\text{even}", "evens");
  DIFFER("\\text{even}", "not even");
  DIFFER("B", "B or C");
}

TEST(Conventions, K16BracketShapes) {
  DIFFER("(1, 4)", "[1, 4]");
  DIFFER("(1, 4]", "(1, 4)");
  DIFFER("(1, 4)", "(4, 1)");
  SAME("(1, 4, 9)", "[1, 4, 9]");
  DIFFER("(1, 4)", "\\{1, 4\\}");
  SAME("(1, 4)", "1, 4");
  DIFFER("(1, 4)", "4, 1");
  SAME("4, 1", "1, 4");
  EXPECT_TRUE(flags("(1, 4)", "1, 4") & kLenientK16);
}

TEST(Conventions, K17EquationAsAnswer) {
  SAME("x = 9", "9");
  SAME("9", "x = 9");
  SAME("f(x) = 2x - 1", "2x - 1");
  SAME("(p, q) = (3, 8)", "(3, 8)");
  SAME("\\sqrt{81} = 9", "9");
  SAME("9", "x = 4 + 4 = 9");
  DIFFER("3u - v = 8", "8");
  DIFFER("8", "3u - v = 8");
  SAME("3u - v = 8", "2v - 6u = -16");
  DIFFER("3u - v = 8", "3u - v = 7");
  DIFFER("x = 9", "y = 9");
}

TEST(Conventions, K18Approximations) {
  SAME("\\frac{22}{7}", "x = \\frac{22}{7} \\approx 3.14");
  DIFFER("3", "x = \\frac{22}{7} \\approx 3");
  SAME("3.14", "x = \\frac{22}{7} \\approx 3.14");
  SAME("11", "x \\approx 11");
  DIFFER("3.1", "x = \\frac{22}{7} \\approx 3.14");
}

TEST(Conventions, K19Degrees) {
  SAME("30^\\circ", "30");
  SAME("30^{\\circ}", "30 degrees");
  SAME("\\frac{\\pi}{6}", "30^\\circ");
  SAME("\\frac{1}{2}", "\\sin 30^\\circ");
  DIFFER("\\frac{\\pi}{6}", "31^\\circ");
  DIFFER("\\frac{1}{2}", "\\sin 30");
  EXPECT_TRUE(flags("\\frac{\\pi}{6}", "30^\\circ") & kLenientK19);
}

TEST(Conventions, K20PlusMinus) {
  SAME("\\pm 3", "3, -3");
  SAME("2 \\pm \\sqrt{5}", "2 - \\sqrt{5}, 2 + \\sqrt{5}");
  SAME("x = 2 \\pm \\sqrt{5}", "x = 2 + \\sqrt5 \\text{ or } x = 2 - \\sqrt5");
  DIFFER("\\pm 3", "3");
  DIFFER("2 \\pm \\sqrt{5}", "2 + \\sqrt{5}");
  // Correlated: both signs are the upper ones, or both the lower ones.
  SAME("(1 \\pm 2)(3 \\mp 1)", "6, -4");
}

TEST(Conventions, K21SeveralGolds) {
  const std::string_view any[] = {"4", "\\frac{7}{2}"};
  const Gold gold = prepare(any, {});
  EXPECT_TRUE(equivalent(gold, "3.5", {}).correct());
  EXPECT_TRUE(equivalent(gold, "4", {}).correct());
  EXPECT_FALSE(equivalent(gold, "5", {}).correct());
  DIFFER("4, \\frac{7}{2}", "4");  // a list inside one gold means all of it
}

TEST(Conventions, K22ConstantOfIntegration) {
  SAME("\\frac{x^2}{2} + C", "\\frac{1}{2}x^2 + c");
  SAME("\\frac{x^2}{2} + C", "k + \\frac{1}{2}x^2");
  DIFFER("\\frac{x^2}{2} + C", "\\frac{x^2}{2}");
  DIFFER("\\frac{x^2}{2} + C", "\\frac{x^2}{2} + d");
}

TEST(Conventions, K23DomainOfIdentities) {
  SAME("\\sqrt{x^2}", "|x|");
  DIFFER("\\sqrt{x^2}", "x");
  DIFFER("\\sqrt{ab}", "-\\sqrt{ab}");
  MathOptions options;
  options.assume = Assume::Positive;
  EXPECT_TRUE(same("\\sqrt{x^2}", "x", options));
}

TEST(Conventions, K24NumeralBases) {
  SAME("1011_2", "1011_{2}");
  SAME("1011_2", "13_8");
  DIFFER("1011_2", "11");
  DIFFER("1011_2", "1011");
  DIFFER("1011_2", "1010_2");
  MathOptions options;
  options.base_value = true;
  EXPECT_TRUE(same("1011_2", "11", options));
  EXPECT_FALSE(same("1011_2", "1011", options));
}

TEST(Conventions, K25EmptyGoldAndEmptyAnswer) {
  EXPECT_EQ(status("", ""), "gold_error");
  EXPECT_EQ(status("  ", "5"), "gold_error");
  EXPECT_EQ(status("5", ""), "no_answer");
  EXPECT_EQ(status("\\frac{1}{0}", "\\frac{1}{0}"), "gold_error");
}

TEST(Conventions, K26BoxBeatsLastNumber) {
  EXPECT_EQ(responds("6", "so \\boxed{6}, found after 12 tries", flexible()), "correct");
  EXPECT_EQ(responds("12", "so \\boxed{6}, found after 12 tries", flexible()), "wrong");
}

TEST(Conventions, K27StrictAndFlexible) {
  const char* text = "We add the parts and get 5 at first. Then we double it, and the sum is 10";
  EXPECT_EQ(responds("10", text), "no_answer");
  EXPECT_EQ(responds("10", text, flexible()), "correct");
}

TEST(Conventions, K28NoTailWindow) {
  const std::string text = "\\boxed{6} " + std::string(5000, '.');
  EXPECT_EQ(responds("6", text), "correct");
}

TEST(Conventions, K29MarksAreRecognisedNotRequired) {
  for (const char* text : {"\\boxed{6}", "<answer>6</answer>", "it follows\n#### 6",
                           "Hence the answer is 6.", "steps\nA: 6", "6"})
    EXPECT_EQ(responds("6", text), "correct") << text;
  MathOptions options;
  options.gate = Gate::Boxed;
  EXPECT_EQ(responds("6", "The answer is 6.", options), "no_answer");
  EXPECT_EQ(responds("6", "\\boxed{6}", options), "correct");
  options.gate = Gate::AnswerTag;
  EXPECT_EQ(responds("6", "\\boxed{6}", options), "no_answer");
  options.gate = Gate::Bracket;
  EXPECT_EQ(responds("6", "The answer is [6].", options), "correct");
  EXPECT_EQ(responds("6", "[6]"), "wrong");
}

TEST(Conventions, K30WrongIsZero) { EXPECT_EQ(status("6", "7"), "wrong"); }

TEST(Conventions, K31ImaginaryUnitAndE) {
  SAME("3 + 2i", "2i + 3");
  SAME("\\frac{1}{1 + i}", "\\frac{1 - i}{2}");
  SAME("e^{i\\pi/6}", "\\frac{\\sqrt{3}}{2} + \\frac{i}{2}");
  SAME("\\mathrm{e}^2", "e^2");
  SAME("-1 + 0i", "i^2");
  DIFFER("-1", "i^2");
  DIFFER("3 + 2i", "3 - 2i");
}

TEST(Conventions, K32MatricesAndVectors) {
  SAME("\\begin{pmatrix} 1 & 2 \\\\ 3 & 4 \\end{pmatrix}",
       "\\begin{bmatrix} 1 & 2 \\\\ 3 & \\frac{8}{2} \\end{bmatrix}");
  DIFFER("\\begin{pmatrix} 1 & 2 \\\\ 3 & 4 \\end{pmatrix}",
         "\\begin{pmatrix} 1 & 3 \\\\ 2 & 4 \\end{pmatrix}");
  DIFFER("\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}", "\\begin{pmatrix} 1 & 2 \\end{pmatrix}");
  SAME("\\langle 1, 2 \\rangle", "(1, 2)");
  SAME("\\frac12\\begin{pmatrix} 2 \\\\ 4 \\end{pmatrix}",
       "\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}");
}

TEST(Presets, NarrowWhatAnAnswerIs) {
  MathOptions options;
  options.preset = Preset::Dapo;
  EXPECT_EQ(status("34", "34", options), "correct");
  EXPECT_EQ(status("34", "35", options), "wrong");
  EXPECT_EQ(status("34", "\\frac{68}{2}", options), "unparseable");
  options.preset = Preset::Choice;
  EXPECT_EQ(status("B", "(B)", options), "correct");
  EXPECT_EQ(status("B", "17", options), "unparseable");
  EXPECT_EQ(status("17", "17", options), "gold_error");
  options.preset = Preset::Exact;
  EXPECT_EQ(status("\\frac{1}{2}", "\\dfrac{1}{2}", options), "correct");
  EXPECT_EQ(status("\\frac{1}{2}", "0.5", options), "wrong");
  options.preset = Preset::Science;
  EXPECT_EQ(status("0.43", "\\frac{3}{7}", options), "correct");
}

}  // namespace
}  // namespace allot::verify
