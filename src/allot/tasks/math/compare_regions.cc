// Sets of real numbers in several notations, and equations and inequalities up to a factor.
#include <algorithm>

#include "allot/tasks/math/canonical.h"
#include "allot/tasks/math/comparing.h"
#include "allot/tasks/math/evaluate.h"

namespace allot::verify {
namespace {

using A = AnswerKind;

// An interval; a point where both ends are the same answer. No end = infinity.
struct Piece {
  const Answer* low = nullptr;
  const Answer* high = nullptr;
  bool low_closed = false, high_closed = false;
};

struct Region {
  std::vector<Piece> pieces;
  std::string variable;
};

bool is_infinite(const Answer& answer, int sign) {
  if (answer.kind != A::Expression || answer.arena == nullptr) return false;
  const Tree tree = answer.tree();
  if (tree.node().op == Op::Infinity) return sign > 0;
  return tree.node().op == Op::Negate && tree.kid(0).node().op == Op::Infinity && sign < 0;
}

const Answer* finite(const Answer& answer, int sign) {
  return is_infinite(answer, sign) ? nullptr : &answer;
}

// x, f(x): what an inequality may be about.
bool is_variable(const Answer& answer) {
  if (answer.kind != A::Expression || answer.arena == nullptr) return false;
  const Node& node = answer.tree().node();
  return (node.op == Op::Symbol && node.name != "pi" && node.name != "e") ||
         (node.op == Op::Function && node.name.starts_with("call:"));
}

class RegionReader {
 public:
  explicit RegionReader(Work& work) : work_(work) {}

  bool read(const Answer& answer, Region& region) {
    work_.spend(1);
    if (!named(region, answer.label)) return false;
    switch (answer.kind) {
      case A::Tuple:
        return interval(answer, region);
      case A::Set:
        for (const Answer& item : answer.items) region.pieces.push_back({&item, &item, true, true});
        return true;
      case A::Union:
      case A::List:
        if (answer.kind == A::List && !answer.alternatives) return false;
        return std::all_of(answer.items.begin(), answer.items.end(),
                           [&](const Answer& item) { return read(item, region); });
      case A::Inequality:
        return inequality(answer, region);
      case A::Difference:
        return difference(answer, region);
      default:
        return false;
    }
  }

 private:
  static bool named(Region& region, const std::string& name) {
    if (name.empty()) return true;
    if (!region.variable.empty() && region.variable != name) return false;
    region.variable = name;
    return true;
  }

  static bool interval(const Answer& answer, Region& region) {
    if (answer.items.size() != 2 || answer.open == ':') return false;
    region.pieces.push_back({finite(answer.items[0], -1), finite(answer.items[1], 1),
                             answer.open == '[', answer.close == ']'});
    return true;
  }

  bool inequality(const Answer& answer, Region& region) {
    const std::vector<Answer>& members = answer.items;
    if (members.size() == 3) {
      if (!is_variable(members[1]) || !named(region, members[1].text)) return false;
      const bool up = answer.relations[0][0] == '<' && answer.relations[1][0] == '<';
      const bool down = answer.relations[0][0] == '>' && answer.relations[1][0] == '>';
      if (!up && !down) return false;
      const bool first = answer.relations[0].size() == 2, last = answer.relations[1].size() == 2;
      if (up)
        region.pieces.push_back({finite(members[0], -1), finite(members[2], 1), first, last});
      else
        region.pieces.push_back({finite(members[2], -1), finite(members[0], 1), last, first});
      return true;
    }
    if (members.size() != 2) return false;
    const bool left = is_variable(members[0]);
    if (!left && !is_variable(members[1])) return false;
    const Answer& bound = members[left ? 1 : 0];
    if (!named(region, members[left ? 0 : 1].text) || bound.kind != A::Expression) return false;
    const std::string& relation = answer.relations[0];
    if (relation == "!=") {
      region.pieces.push_back({nullptr, &bound, false, false});
      region.pieces.push_back({&bound, nullptr, false, false});
      return true;
    }
    const bool closed = relation.size() == 2;
    const bool below = (relation[0] == '<') == left;
    if (below)
      region.pieces.push_back({nullptr, &bound, false, closed});
    else
      region.pieces.push_back({&bound, nullptr, closed, false});
    return true;
  }

  // All real numbers without some points.
  bool difference(const Answer& answer, Region& region) {
    Region all;
    if (!read(answer.items[0], all) || all.pieces.size() != 1) return false;
    const Piece& whole = all.pieces[0];
    if (whole.low != nullptr || whole.high != nullptr || answer.items[1].kind != A::Set)
      return false;
    std::vector<std::pair<Rational, const Answer*>> points;
    for (const Answer& item : answer.items[1].items) {
      if (item.kind != A::Expression) return false;
      const auto value = plain_rational(item.tree(), work_);
      if (!value) return false;
      points.emplace_back(*value, &item);
    }
    std::sort(points.begin(), points.end());
    const Answer* before = nullptr;
    for (const auto& [value, point] : points) {
      region.pieces.push_back({before, point, false, false});
      before = point;
    }
    region.pieces.push_back({before, nullptr, false, false});
    return true;
  }

  Work& work_;
};

std::string flipped(const std::string& relation) {
  std::string out = relation;
  if (out[0] == '<')
    out[0] = '>';
  else if (out[0] == '>')
    out[0] = '<';
  return out;
}

bool is_constant(const Atom& atom) {
  return atom.kind == Atom::Kind::Constant || atom.kind == Atom::Kind::Imaginary ||
         atom.kind == Atom::Kind::Prime;
}

// The coefficient, in constants, of the largest monomial in variables.
Polynomial leading(const Algebra& algebra, const Polynomial& p, Monomial& variables) {
  Polynomial lead;
  bool first = true;
  for (const auto& [monomial, coefficient] : p) {
    Monomial variable, constant;
    for (const auto& factor : monomial)
      (is_constant(algebra[factor.first]) ? constant : variable).push_back(factor);
    if (first || variables < variable) {
      lead.clear();
      variables = variable;
      first = false;
    }
    if (variable == variables) lead[constant] += coefficient;
  }
  return lead;
}

// Without negative powers of variables.
Polynomial cleared(Algebra& algebra, const Polynomial& p) {
  std::map<AtomId, Exponent> least;
  for (const auto& [monomial, coefficient] : p)
    for (const auto& [id, power] : monomial)
      if (power.top < 0 && !is_constant(algebra[id])) {
        const auto [place, fresh] = least.try_emplace(id, power);
        if (!fresh && power.top * place->second.bottom < place->second.top * power.bottom)
          place->second = power;
      }
  Polynomial out = p;
  for (const auto& [id, power] : least)
    out = algebra.multiply(out, algebra.power_of(id, power * exponent(-1, 1)));
  return out;
}

}  // namespace

Decision Comparison::regions(const Answer& gold, const Answer& given) {
  Region wanted, got;
  if (!RegionReader(work_).read(gold, wanted) || !RegionReader(work_).read(given, got))
    return gold.kind == given.kind ? in_order(gold.items, given.items) : different(Tier::T2);
  if (!wanted.variable.empty() && !got.variable.empty() && wanted.variable != got.variable)
    return different(Tier::T2);
  if (wanted.pieces.size() != got.pieces.size()) return different(Tier::T2);
  std::vector<bool> used(got.pieces.size(), false);
  Decision all =
      flagged(equal(Tier::T2), gold.kind == given.kind ? 0U : std::uint32_t{kLenientK14});
  const auto same_end = [&](const Answer* a, const Answer* b) {
    if (a == nullptr || b == nullptr) return a == b ? equal(Tier::T2) : different(Tier::T2);
    return compare(*a, *b);
  };
  for (const Piece& piece : wanted.pieces) {
    bool found = false;
    for (std::size_t i = 0; i < got.pieces.size() && !found; ++i) {
      const Piece& other = got.pieces[i];
      if (used[i] || piece.low_closed != other.low_closed || piece.high_closed != other.high_closed)
        continue;
      const Decision ends = both(same_end(piece.low, other.low), same_end(piece.high, other.high));
      if (!ends.equal()) continue;
      used[i] = found = true;
      all = both(all, ends);
    }
    if (!found) return different(Tier::T2);
  }
  return all;
}

Decision Comparison::inequalities(const Answer& gold, const Answer& given) {
  if (gold.items.size() == given.items.size()) {
    if (gold.relations == given.relations) {
      const Decision decision = in_order(gold.items, given.items);
      if (decision.equal()) return decision;
    }
    std::vector<std::string> relations(given.relations.rbegin(), given.relations.rend());
    std::transform(relations.begin(), relations.end(), relations.begin(), flipped);
    if (gold.relations == relations) {
      const std::vector<Answer> items(given.items.rbegin(), given.items.rend());
      const Decision decision = in_order(gold.items, items);
      if (decision.equal()) return decision;
    }
  }
  const Decision as_sets = regions(gold, given);
  if (as_sets.equal() || gold.items.size() != 2 || given.items.size() != 2) return as_sets;
  for (const Answer* side : {&gold.items[0], &gold.items[1], &given.items[0], &given.items[1]})
    if (side->kind != A::Expression) return as_sets;
  const bool same = gold.relations[0] == given.relations[0];
  if (!same && gold.relations[0] != flipped(given.relations[0])) return different(Tier::T2);
  const Tree left = given.items[same ? 0 : 1].tree(), right = given.items[same ? 1 : 0].tree();
  return proportional(gold.items[0].tree(), gold.items[1].tree(), left, right,
                      gold.relations[0] != "!=");
}

Decision Comparison::proportional(Tree left_a, Tree right_a, Tree left_b, Tree right_b, bool sign) {
  for (const Tree tree : {left_a, right_a, left_b, right_b})
    if (contains(tree, Op::Infinity) || contains(tree, Op::PlusMinus)) return different(Tier::T2);
  try {
    Algebra algebra(work_);
    const auto side = [&](Tree left, Tree right, const Reading& reading) {
      Canonical canonical(algebra, reading);
      return algebra.add(canonical.of(left), canonical.of(right), -1);
    };
    const Quotient a = side(left_a, right_a, gold_reading_);
    const Quotient b = side(left_b, right_b, given_reading_);
    if (a.top.empty() || b.top.empty()) return different(Tier::T2);
    if (sign && (!rational_of(a.bottom) || !rational_of(b.bottom))) return unknown(Tier::T2);
    const Polynomial p = sign ? a.top : cleared(algebra, a.top);
    const Polynomial q = sign ? b.top : cleared(algebra, b.top);
    Monomial of_p, of_q;
    const Polynomial lead_p = leading(algebra, p, of_p), lead_q = leading(algebra, q, of_q);
    if (of_p.empty() || of_p != of_q)
      return algebra.certain(p) && algebra.certain(q) ? different(Tier::T2) : unknown(Tier::T2);
    const Polynomial rest =
        algebra.add(algebra.multiply(p, lead_q), algebra.multiply(q, lead_p), -1);
    if (!rest.empty()) return algebra.certain(rest) ? different(Tier::T2) : unknown(Tier::T2);
    if (!sign) return equal(Tier::T2);
    const auto factor_p = rational_of(lead_p), factor_q = rational_of(lead_q);
    if (!factor_p || !factor_q) return unknown(Tier::T2);
    return *factor_p * *factor_q > 0 ? equal(Tier::T2) : different(Tier::T2);
  } catch (const Undefined&) {
    return different(Tier::T2);
  }
}

}  // namespace allot::verify
