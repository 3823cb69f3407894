// Properties: a value equals itself however it is written, a changed one does not, and comparison
// is symmetric. The oracle is the construction: the value is known before it is rendered.
#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "allot/tasks/math/testing/verdicts.h"

namespace allot::verify {
namespace {

using testing::responds;
using testing::same;

// A fraction and some of its spellings.
std::string spelled_fraction(int top, int bottom, int way) {
  const std::string t = std::to_string(std::abs(top)), b = std::to_string(bottom);
  const std::string sign = top < 0 ? "-" : "";
  switch (way) {
    case 0:
      return sign + "\\frac{" + t + "}{" + b + "}";
    case 1:
      return "\\dfrac{" + sign + t + "}{" + b + "}";
    case 2:
      return sign + t + "/" + b;
    case 3:
      return "$" + sign + "\\tfrac{" + t + "}{" + b + "}$";
    case 4:
      return "\\boxed{" + sign + "\\frac{" + std::to_string(std::abs(top) * 6) + "}{" +
             std::to_string(bottom * 6) + "}}";
    default:
      return "\\left(" + sign + "\\frac{" + t + "}{" + b + "}\\right)";
  }
}

RC_GTEST_PROP(Property, FractionsEqualThemselvesHoweverWritten, ()) {
  const int top = *rc::gen::inRange(-9999, 9999), bottom = *rc::gen::inRange(1, 9999);
  const int a = *rc::gen::inRange(0, 6), b = *rc::gen::inRange(0, 6);
  RC_ASSERT(same(spelled_fraction(top, bottom, a), spelled_fraction(top, bottom, b)));
}

RC_GTEST_PROP(Property, FractionsDifferFromChangedOnes, ()) {
  const int top = *rc::gen::inRange(-9999, 9999), bottom = *rc::gen::inRange(1, 9999);
  const int other_top = *rc::gen::inRange(-9999, 9999), other_bottom = *rc::gen::inRange(1, 9999);
  const bool equal = std::int64_t{top} * other_bottom == std::int64_t{other_top} * bottom;
  const int a = *rc::gen::inRange(0, 6), b = *rc::gen::inRange(0, 6);
  RC_ASSERT(same(spelled_fraction(top, bottom, a), spelled_fraction(other_top, other_bottom, b)) ==
            equal);
  RC_ASSERT(!same(spelled_fraction(top, bottom, a), spelled_fraction(top + bottom, bottom, b)));
  RC_ASSERT(top == 0 || !same(spelled_fraction(top, bottom, a), spelled_fraction(-top, bottom, b)));
}

// A whole number with one digit changed, with and without thousands, in and out of a response.
RC_GTEST_PROP(Property, OneDigitDecides, ()) {
  const std::uint64_t number = *rc::gen::inRange<std::uint64_t>(1000, 1000000000000ULL);
  std::string digits = std::to_string(number), grouped;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) grouped += ",";
    grouped += digits[i];
  }
  RC_ASSERT(same(digits, grouped));
  RC_ASSERT(same(grouped, digits + ".00"));
  RC_ASSERT(responds(digits, "Therefore \\boxed{" + grouped + "} it is.") == "correct");
  RC_ASSERT(responds(digits, "\nA: " + grouped) == "correct");
  const std::size_t at = *rc::gen::inRange<std::size_t>(1, digits.size());
  std::string changed = digits;
  changed[at] = static_cast<char>('0' + (changed[at] - '0' + *rc::gen::inRange(1, 10)) % 10);
  RC_ASSERT(!same(digits, changed));
  RC_ASSERT(!same(grouped, changed));
  RC_ASSERT(responds(grouped, "\\boxed{" + changed + "}") == "wrong");
}

// a x^2 + b x + c from its roots: expanded, factored, reordered; one coefficient changed.
RC_GTEST_PROP(Property, PolynomialsByTheirFactors, ()) {
  const int p = *rc::gen::inRange(-20, 20), q = *rc::gen::inRange(-20, 20);
  const int a = *rc::gen::inRange(1, 9);
  const auto term = [](int factor, const std::string& name) {
    return (factor < 0 ? "-" : "+") + std::to_string(std::abs(factor)) + name;
  };
  const int b = -a * (p + q), c = a * p * q;
  const std::string expanded = std::to_string(a) + "x^2" + term(b, "x") + term(c, "");
  const std::string reordered = std::to_string(c) + term(b, "x") + term(a, "x^{2}");
  const std::string factored = std::to_string(a) + "(x" + term(-p, "") + ")(x" + term(-q, "") + ")";
  RC_ASSERT(same(expanded, factored));
  RC_ASSERT(same(factored, reordered));
  RC_ASSERT(!same(factored, std::to_string(a) + "x^2" + term(b + 1, "x") + term(c, "")));
  RC_ASSERT(!same(expanded, factored + "+1"));
  RC_ASSERT(same("y = " + expanded, factored));
  RC_ASSERT(same(expanded + " = 0", "-2x^2" + std::string(b <= 0 ? "+" : "-") + "\\frac{" +
                                        std::to_string(2 * std::abs(b)) + "}{" + std::to_string(a) +
                                        "}x" + (c <= 0 ? "+" : "-") + "\\frac{" +
                                        std::to_string(2 * std::abs(c)) + "}{" + std::to_string(a) +
                                        "} = 0"));
}

// k sqrt(n) and sqrt(k^2 n).
RC_GTEST_PROP(Property, RadicalsBySquares, ()) {
  const int k = *rc::gen::inRange(1, 50), n = *rc::gen::inRange(2, 500);
  const std::string outside = std::to_string(k) + "\\sqrt{" + std::to_string(n) + "}";
  RC_ASSERT(same(outside, "\\sqrt{" + std::to_string(k * k * n) + "}"));
  RC_ASSERT(
      same(outside, "\\frac{" + std::to_string(k * n) + "}{\\sqrt{" + std::to_string(n) + "}}"));
  RC_ASSERT(!same(outside, "\\sqrt{" + std::to_string(k * k * n + 1) + "}"));
  RC_ASSERT(!same(outside, "-" + outside));
}

std::string listed(const std::vector<int>& values, const std::string& open,
                   const std::string& close) {
  std::string out = open;
  for (std::size_t i = 0; i < values.size(); ++i)
    out += (i > 0 ? ", " : "") + std::to_string(values[i]);
  return out + close;
}

RC_GTEST_PROP(Property, ListsTuplesSets, ()) {
  std::vector<int> values = *rc::gen::container<std::vector<int>>(3, rc::gen::inRange(-99, 99));
  std::vector<int> turned = {values[1], values[2], values[0]}, changed = values;
  changed[*rc::gen::inRange(0, 3)] += 100;
  RC_ASSERT(same(listed(values, "", ""), listed(turned, "", "")));
  RC_ASSERT(same(listed(values, "\\{", "\\}"), listed(turned, "\\{", "\\}")));
  RC_ASSERT(same(listed(values, "(", ")"), listed(turned, "(", ")")) == (values == turned));
  RC_ASSERT(!same(listed(values, "", ""), listed(changed, "", "")));
  RC_ASSERT(!same(listed(values, "(", ")"), listed(changed, "(", ")")));
}

RC_GTEST_PROP(Property, IntervalsByEndPoints, ()) {
  const int low = *rc::gen::inRange(-99, 99), high = low + *rc::gen::inRange(1, 99);
  const bool low_closed = *rc::gen::arbitrary<bool>(), high_closed = *rc::gen::arbitrary<bool>();
  const auto interval = [](int a, int b, bool c, bool d) {
    return (c ? "[" : "(") + std::to_string(a) + ", " + std::to_string(b) + (d ? "]" : ")");
  };
  const std::string gold = interval(low, high, low_closed, high_closed);
  const std::string chain = std::to_string(low) + (low_closed ? " \\le " : " < ") + "x" +
                            (high_closed ? " \\leq " : " < ") + std::to_string(high);
  RC_ASSERT(same(gold, chain));
  RC_ASSERT(same(chain, "x \\in " + gold));
  RC_ASSERT(!same(gold, interval(low, high, !low_closed, high_closed)));
  RC_ASSERT(!same(chain, interval(low, high, low_closed, !high_closed)));
  RC_ASSERT(!same(gold, interval(low, high + 1, low_closed, high_closed)));
}

// Any bytes: no fault, within the budget, the same every time.
RC_GTEST_PROP(Property, AnyBytesAreJudged, ()) {
  const std::vector<std::string> pieces = {"\\frac",
                                           "{",
                                           "}",
                                           "(",
                                           ")",
                                           "[",
                                           "]",
                                           "1",
                                           "23",
                                           ".5",
                                           "x",
                                           "y",
                                           "+",
                                           "-",
                                           "^",
                                           "_",
                                           "\\sqrt",
                                           ",",
                                           "\\pi",
                                           "\\le",
                                           "=",
                                           "|",
                                           "!",
                                           "\\text{",
                                           "or",
                                           "%",
                                           "\\{",
                                           "\\}",
                                           "\\pm",
                                           "\\sin",
                                           " ",
                                           "\\cup",
                                           "\\infty",
                                           "e",
                                           "i",
                                           "\\begin{pmatrix}",
                                           "\\end{pmatrix}",
                                           "&",
                                           "\\\\",
                                           "$",
                                           "cm",
                                           "\\boxed{",
                                           "\xFF",
                                           "\xCF\x80",
                                           "0",
                                           "/",
                                           "*",
                                           ":",
                                           ";",
                                           "'",
                                           "\\circ"};
  std::string gold, answer;
  for (const auto index : *rc::gen::container<std::vector<std::size_t>>(
           rc::gen::inRange<std::size_t>(0, pieces.size())))
    answer += pieces[index];
  for (const auto index : *rc::gen::container<std::vector<std::size_t>>(
           rc::gen::inRange<std::size_t>(0, pieces.size())))
    gold += pieces[index];
  const Gold prepared = prepare(gold, {});
  const Verdict first = equivalent(prepared, answer, {}), second = equivalent(prepared, answer, {});
  RC_ASSERT(first.status != VerdictStatus::Fault);
  RC_ASSERT(first.status == second.status && first.steps == second.steps);
  RC_ASSERT(verify(prepared, answer, testing::flexible()).status != VerdictStatus::Fault);
  // What can be a gold equals itself (a box in a gold is looked for, in an answer it is not).
  if (prepared.status() == VerdictStatus::Correct && gold.find("boxed") == std::string::npos)
    RC_ASSERT(equivalent(prepared, gold, {}).status != VerdictStatus::Wrong);
}

}  // namespace
}  // namespace allot::verify
