// Comparison of two expressions: units, percent, decimals, exact forms, values at points.
#include <algorithm>

#include "allot/tasks/math/canonical.h"
#include "allot/tasks/math/comparing.h"
#include "allot/tasks/math/evaluate.h"

namespace allot::verify {
namespace {

constexpr int kShownDigits = 6;  // K10: fewer significant digits match nothing but themselves

// A numeral with a decimal point, with its sign.
struct Decimal {
  Rational value;
  int decimals = 0, significant = 0;
};
std::optional<Decimal> decimal_of(Tree tree) {
  const bool negative = tree.node().op == Op::Negate;
  const Node& node = negative ? tree.kid(0).node() : tree.node();
  if (node.op != Op::Number || node.decimals < 0) return std::nullopt;
  return Decimal{negative ? Rational(-node.value) : node.value, node.decimals, node.significant};
}

int infinity_of(Tree tree) {
  if (tree.node().op == Op::Infinity) return 1;
  if (tree.node().op == Op::Negate && tree.kid(0).node().op == Op::Infinity) return -1;
  return 0;
}

NodeId copy(Arena& to, Tree from) {
  Node node = from.node();
  for (std::size_t i = 0; i < node.kids.size(); ++i) node.kids[i] = copy(to, from.kid(i));
  return to.add(std::move(node));
}

// tree * factor, in `scratch`.
Tree scaled(Arena& scratch, Tree tree, const Rational& factor) {
  const NodeId number = scratch.number(factor);
  return {&scratch, scratch.make(Op::Multiply, {number, copy(scratch, tree)})};
}
Tree in_degrees(Arena& scratch, Tree tree) {
  return {&scratch, scratch.make(Op::Degree, {copy(scratch, tree)})};
}

Rational ulp(int decimals, Work& work) {
  return Rational(1, power_of_ten(static_cast<std::size_t>(decimals), work));
}

bool close(const Rational& a, const Rational& b, const Rational& distance) {
  return abs(a - b) < distance;
}

// K10 for two plain numbers that are not equal.
bool rounding_matches(const Rational& a, const std::optional<Decimal>& as_a, const Rational& b,
                      const std::optional<Decimal>& as_b, Work& work) {
  if (!as_a && !as_b) return false;
  if (as_a && as_b) {
    if (std::min(as_a->significant, as_b->significant) < kShownDigits) return false;
    if (as_a->decimals == as_b->decimals) return false;
    return close(a, b, ulp(std::min(as_a->decimals, as_b->decimals), work));
  }
  const Decimal& shown = as_a ? *as_a : *as_b;
  const Rational& exact = as_a ? b : a;
  if (shown.significant < kShownDigits) return false;
  const Rational unit = ulp(shown.decimals, work);
  return !is_whole(exact / unit) && close(a, b, unit);
}

bool unreduced(Tree tree) {
  if (tree.node().op == Op::Negate) return unreduced(tree.kid(0));
  if (tree.node().op != Op::Divide) return false;
  const Node &top = tree.kid(0).node(), &bottom = tree.kid(1).node();
  if (top.op != Op::Number || bottom.op != Op::Number) return false;
  if (!is_whole(top.value) || !is_whole(bottom.value)) return false;
  return bottom.value == 1 || gcd(numerator(top.value), numerator(bottom.value)) != 1;
}

bool adds_constant(Tree tree, std::string_view name) {
  if (tree.node().op != Op::Add) return false;
  for (std::size_t i = 0; i < tree.node().kids.size(); ++i) {
    const Tree kid = tree.kid(i);
    if (kid.node().op == Op::Symbol && kid.node().name == name) return true;
    if (adds_constant(kid, name)) return true;
  }
  return false;
}

bool contains_variable(Tree tree) {
  std::vector<std::string> names;
  collect_symbols(tree, names);
  return !names.empty();
}

void trees_of(const Answer& answer, std::vector<Tree>& trees) {
  if (answer.kind == AnswerKind::Expression && answer.arena != nullptr)
    trees.push_back(answer.tree());
  for (const Answer& item : answer.items) trees_of(item, trees);
}

bool any_contains(const std::vector<Tree>& trees, std::string_view name) {
  return std::any_of(trees.begin(), trees.end(),
                     [&](Tree tree) { return contains_symbol(tree, name); });
}

}  // namespace

Reading reading_of(const Answer& gold, const Answer& side) {
  std::vector<Tree> gold_trees, own;
  trees_of(gold, gold_trees);
  trees_of(side, own);
  Reading reading;
  reading.imaginary = any_contains(gold_trees, "i") || any_contains(gold_trees, "I");
  const auto adds = [](const std::vector<Tree>& trees, std::string_view name) {
    return std::any_of(trees.begin(), trees.end(),
                       [&](Tree tree) { return adds_constant(tree, name); });
  };
  if (adds(gold_trees, "C") && !any_contains(own, "C"))
    for (const char* name : {"c", "k"})
      if (!any_contains(gold_trees, name) && adds(own, name)) {
        reading.constant_of_integration = name;
        break;
      }
  return reading;
}

Decision texts(const Answer& gold, const Answer& given) {
  const std::string wanted = folded(gold.text), got = folded(given.text);
  if (wanted.empty()) return unknown(Tier::T5);
  return wanted == got ? equal(Tier::T5) : different(Tier::T5);
}

// Equal where the units allow equal values (flagged where one is missing), else different.
Decision Comparison::units(const Answer& gold, const Answer& given) {
  const Unit &wanted = gold.unit, &got = given.unit;
  if (wanted.name == got.name) return equal(Tier::T1);
  if (got.empty() && options_.require_unit) return different(Tier::T1);
  if (wanted.empty() || got.empty()) return equal(Tier::T1, kLenientK6);
  // A dollar sign and the word "dollars" are one name already; pounds weigh or pay.
  if (options_.unit_conversion && !wanted.dimension.empty() && wanted.dimension == got.dimension)
    return equal(Tier::T1);
  return different(Tier::T1);
}

Decision Comparison::percents(const Answer& gold, const Answer& given) {
  Arena scratch(work_);
  const Rational hundredth(1, 100);
  const Tree wanted = gold.tree(), got = given.tree();
  Decision decision = gold.percent ? values(scaled(scratch, wanted, hundredth), got)
                                   : values(wanted, scaled(scratch, got, hundredth));
  if (!options_.percent) return decision;
  if (!decision.equal()) decision = values(wanted, got);
  return flagged(decision, kLenientK1);
}

Decision Comparison::expressions(const Answer& gold, const Answer& given) {
  if (options_.require_reduced && unreduced(given.tree())) return different(Tier::T1);
  if (options_.require_simplified &&
      given.text.size() > 4 * std::max<std::size_t>(gold.text.size(), 4))
    return different(Tier::T1);
  const Decision unit = units(gold, given);
  if (!unit.equal()) return unit;
  if (gold.percent != given.percent) return both(unit, percents(gold, given));
  Arena scratch(work_);
  if (!gold.unit.empty() && !given.unit.empty() && gold.unit.name != given.unit.name)
    return values(scaled(scratch, gold.tree(), gold.unit.factor),
                  scaled(scratch, given.tree(), given.unit.factor));
  const Decision decision = values(gold.tree(), given.tree());
  const bool degrees = (gold.unit.name == "deg") != (given.unit.name == "deg");
  if (decision.equal() || !degrees) return both(unit, decision);
  const Decision turned = gold.unit.name == "deg"
                              ? values(in_degrees(scratch, gold.tree()), given.tree())
                              : values(gold.tree(), in_degrees(scratch, given.tree()));
  return flagged(turned.equal() ? turned : decision, kLenientK19);
}

Decision Comparison::values(Tree gold_tree, Tree given_tree) {
  const int wanted_infinity = infinity_of(gold_tree), got_infinity = infinity_of(given_tree);
  if (wanted_infinity != 0 || got_infinity != 0)
    return wanted_infinity == got_infinity ? equal(Tier::T1) : different(Tier::T1);
  const bool gold_base = gold_tree.node().op == Op::BaseNumeral;
  const bool given_base = given_tree.node().op == Op::BaseNumeral;
  if (gold_base != given_base && !options_.base_value) return different(Tier::T1);
  const auto wanted = plain_rational(gold_tree, work_), got = plain_rational(given_tree, work_);
  const auto wanted_decimal = decimal_of(gold_tree), got_decimal = decimal_of(given_tree);
  if (wanted && got) {
    if (*wanted == *got) return equal(Tier::T1);
    if (rounding_matches(*wanted, wanted_decimal, *got, got_decimal, work_))
      return equal(Tier::T1, kLenientK10);
    if (options_.rounded_gold || options_.rel_tol > 0) return rounded(gold_tree, given_tree);
    return different(Tier::T1);
  }
  Decision decision = exact(gold_tree, given_tree);
  if (decision.equal()) return decision;
  if (got_decimal && !wanted) return approximate(gold_tree, given_tree);
  if (wanted_decimal && !got) {
    decision = approximate(given_tree, gold_tree);
    if (!decision.equal() && (options_.rounded_gold || options_.rel_tol > 0))
      return rounded(gold_tree, given_tree);
  }
  return decision;
}

// Tiers T3 and T4.
Decision Comparison::exact(Tree gold, Tree given) {
  try {
    Algebra algebra(work_);
    const Quotient wanted = Canonical(algebra, gold_reading_).of(gold);
    const Quotient got = Canonical(algebra, given_reading_).of(given);
    const Polynomial difference = algebra.difference(wanted, got);
    std::uint32_t flags = 0;
    if (!given_reading_.constant_of_integration.empty()) flags = kLenientK22;
    if (difference.empty()) return equal(Tier::T3, flags);
    if (algebra.certain(difference)) return different(Tier::T3);
    const bool numbers = !contains_variable(gold) && !contains_variable(given);
    const Agreement agreement = compare_values(gold, gold_reading_, given, given_reading_,
                                               options_.assume == Assume::Positive, work_);
    const Tier tier = numbers ? Tier::T3 : Tier::T4;
    if (agreement == Agreement::Equal) return equal(tier, flags);
    return agreement == Agreement::Different ? different(tier) : unknown(tier);
  } catch (const Undefined&) {
    return different(Tier::T3);
  }
}

// K10 for a number that is no plain fraction, such as sqrt(2), and a decimal.
Decision Comparison::approximate(Tree exact, Tree shown) {
  const std::optional<Decimal> decimal = decimal_of(shown);
  if (!decimal || decimal->significant < kShownDigits || contains_variable(exact))
    return different(Tier::T3);
  try {
    const Point nowhere;
    const Reading& reading = gold_reading_;
    const Complex value = Evaluator(nowhere, reading, work_).of(exact);
    if (!value.real) return different(Tier::T3);
    const Ball distance = value.re - ball(decimal->value);
    const Ball size = distance.middle < 0 ? -distance : distance;
    const Ball unit = ball(ulp(decimal->decimals, work_));
    if (surely_negative(size - unit)) return equal(Tier::T3, kLenientK10);
    return different(Tier::T3);
  } catch (const NoValue&) {
    return unknown(Tier::T3);
  }
}

// K11: values that round to the gold's last place, or within the relative tolerance.
Decision Comparison::rounded(Tree gold, Tree given) {
  try {
    const Point nowhere;
    Ball value;
    if (const auto plain = plain_rational(given, work_))
      value = ball(*plain);
    else
      value = Evaluator(nowhere, given_reading_, work_).of(given).re;
    const auto wanted = plain_rational(gold, work_);
    if (!wanted) return different(Tier::T1);
    const Ball distance = value - ball(*wanted);
    const Ball size = distance.middle < 0 ? -distance : distance;
    const auto decimal = decimal_of(gold);
    if (options_.rounded_gold && decimal) {
      const Ball half = ball(ulp(decimal->decimals, work_) / 2);
      if (!surely_positive(size - half)) return equal(Tier::T1, kLenientK11);
    }
    if (options_.rel_tol > 0) {
      const Ball allowed = ball(abs(*wanted) * Rational(options_.rel_tol));
      if (!surely_positive(size - allowed)) return equal(Tier::T1, kLenientK11);
    }
    return different(Tier::T1);
  } catch (const NoValue&) {
    return unknown(Tier::T1);
  }
}

}  // namespace allot::verify
