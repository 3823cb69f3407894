// Comparison of structures: which kinds meet, and element by element.
#include "allot/tasks/math/compare.h"

#include <algorithm>

#include "allot/tasks/math/comparing.h"

namespace allot::verify {
namespace {

using A = AnswerKind;

bool is_set_like(const Answer& answer) {
  return answer.kind == A::Union || answer.kind == A::Difference || answer.kind == A::Inequality ||
         (answer.kind == A::Tuple && answer.items.size() == 2) || answer.kind == A::Set ||
         (answer.kind == A::List && answer.alternatives &&
          std::all_of(answer.items.begin(), answer.items.end(),
                      [](const Answer& item) { return item.kind == A::Inequality; }));
}

// Plus-minus signs written out: "1, 2 +- 3" has three elements, "x = a +- b" two equations.
std::vector<Answer> signs_expanded(const std::vector<Answer>& items) {
  std::vector<Answer> out;
  for (const Answer& item : items) {
    const Answer* value = item.value();
    if (item.kind == A::List && item.plus_minus) {
      out.insert(out.end(), item.items.begin(), item.items.end());
    } else if (value != nullptr && value->kind == A::List && value->plus_minus) {
      for (const Answer& one : value->items) {
        Answer equation = item;
        equation.items.back() = one;
        equation.relations.assign(equation.items.size() - 1, "=");
        out.push_back(std::move(equation));
      }
    } else {
      out.push_back(item);
    }
  }
  return out;
}

// x = 5 as 5, for elements of lists.
const Answer& without_label(const Answer& item) {
  const Answer* value = item.value();
  return value != nullptr && item.labelled ? *value : item;
}

std::string stem(const std::string& label) {
  return label.substr(0, label.find_first_of("_0123456789 "));
}

bool has_labels(const std::vector<Answer>& items) {
  return !items.empty() && std::all_of(items.begin(), items.end(), [](const Answer& item) {
    return item.kind == A::Equation && item.labelled && !item.label.empty();
  });
}

// All labels are one variable, perhaps indexed: x_1, x_2, or x, x.
bool one_variable(const std::vector<Answer>& items) {
  return std::all_of(items.begin(), items.end(),
                     [&](const Answer& item) { return stem(item.label) == stem(items[0].label); });
}

std::vector<Answer> values_of(const std::vector<Answer>& items) {
  std::vector<Answer> out;
  for (const Answer& item : items) out.push_back(without_label(item));
  return out;
}

}  // namespace

Decision Comparison::compare(const Answer& gold, const Answer& given) {
  work_.spend(2);
  const auto unread = [](const Answer& answer) {
    return answer.kind == A::Expression && answer.arena == nullptr;
  };
  if (unread(gold) || unread(given)) return unknown(Tier::T2);
  if (depth_ == 0) {
    gold_reading_ = reading_of(gold, gold);
    given_reading_ = reading_of(gold, given);
  }
  ++depth_;
  Decision decision = structures(gold, given);
  --depth_;
  if (!gold.text.empty() && decision.value == Decision::Value::Unknown && gold.text == given.text &&
      gold.kind == given.kind && gold.kind != A::Expression)
    return equal(Tier::T0);
  if (decision.equal() && given.annotated) decision.flags |= kLenientK8;
  return decision;
}

Decision Comparison::structures(const Answer& gold, const Answer& given) {
  if (given.decimal_comma && (gold.kind == A::Expression || gold.value() != nullptr))
    return flagged(compare(gold, *given.decimal_comma), kLenientK13);
  if (gold.decimal_comma && (given.kind == A::Expression || given.value() != nullptr))
    return flagged(compare(*gold.decimal_comma, given), kLenientK13);
  if (gold.kind == A::Equation || given.kind == A::Equation) return equations(gold, given);
  if (gold.kind == A::Text || given.kind == A::Text) return texts(gold, given);
  if (gold.kind == A::Expression && given.kind == A::Expression) return expressions(gold, given);
  if (gold.kind == A::Matrix || given.kind == A::Matrix)
    return gold.kind == given.kind ? matrices(gold, given) : different(Tier::T2);
  if (gold.kind == A::List || given.kind == A::List) {
    const bool conditions = gold.kind != given.kind && is_set_like(gold) && is_set_like(given) &&
                            gold.kind != A::Tuple && gold.kind != A::Set;
    if (!conditions) {
      const Decision decision = lists(gold, given);
      if (decision.equal() || !is_set_like(gold) || !is_set_like(given)) return decision;
    }
    return regions(gold, given);
  }
  if (gold.kind == A::Tuple && given.kind == A::Tuple) return tuples(gold, given);
  if (gold.kind == A::Set && given.kind == A::Set) return sets(gold, given);
  if (gold.kind == A::Inequality && given.kind == A::Inequality) return inequalities(gold, given);
  // {5} for 5, where both are one solution: a set of one element is not its element.
  if (is_set_like(gold) && is_set_like(given)) return regions(gold, given);
  return different(Tier::T2);
}

Decision Comparison::in_order(const std::vector<Answer>& gold, const std::vector<Answer>& given) {
  if (gold.size() != given.size()) return different(Tier::T2);
  Decision all = equal(Tier::T2);
  for (std::size_t i = 0; i < gold.size(); ++i) {
    all = both(all, compare(gold[i], given[i]));
    if (all.value == Decision::Value::Different) return all;
  }
  return all;
}

// A matching of equal elements; equality is transitive enough for the first free one to do.
Decision Comparison::any_order(const std::vector<Answer>& gold, const std::vector<Answer>& given) {
  if (gold.size() != given.size()) return different(Tier::T2);
  std::vector<bool> used(given.size(), false);
  Decision all = equal(Tier::T2);
  bool unknown = false;
  for (const Answer& wanted : gold) {
    bool found = false, open = false;
    for (std::size_t i = 0; i < given.size() && !found; ++i) {
      if (used[i]) continue;
      const Decision one = compare(wanted, given[i]);
      open |= one.value == Decision::Value::Unknown;
      if (!one.equal()) continue;
      used[i] = found = true;
      all = both(all, one);
    }
    if (!found && !open) return different(Tier::T2);
    unknown |= !found;
  }
  if (unknown) all.value = Decision::Value::Unknown;
  return all;
}

Decision Comparison::lists(const Answer& gold, const Answer& given) {
  if (gold.kind != A::List && gold.kind != A::Tuple && gold.kind != A::Set)
    return different(Tier::T2);
  if (given.kind != A::List && given.kind != A::Tuple && given.kind != A::Set)
    return different(Tier::T2);
  const std::vector<Answer> wanted = signs_expanded(gold.items);
  const std::vector<Answer> got = signs_expanded(given.items);
  if (gold.kind == A::Tuple) return flagged(in_order(wanted, values_of(got)), kLenientK16);
  if (gold.kind == A::Set) return any_order(distinct(wanted), distinct(got));
  const bool gold_labels = has_labels(wanted), given_labels = has_labels(got);
  if (given.kind == A::Tuple) {
    if (given.items.size() == 2 && (given.open != '(' || given.close != ')'))
      return different(Tier::T2);
    return flagged(in_order(values_of(wanted), got), kLenientK16);
  }
  if (gold_labels && given_labels) return any_order(wanted, got);
  if (gold_labels || given_labels) {
    const bool unordered = one_variable(gold_labels ? wanted : got);
    const std::vector<Answer> a = values_of(wanted), b = values_of(got);
    return unordered ? any_order(a, b) : in_order(a, b);
  }
  if (given.kind == A::Set) return any_order(distinct(wanted), distinct(got));
  return any_order(wanted, got);
}

std::vector<Answer> Comparison::distinct(const std::vector<Answer>& items) {
  std::vector<Answer> out;
  for (const Answer& item : items) {
    const bool known = std::any_of(out.begin(), out.end(), [&](const Answer& other) {
      return other.text == item.text || compare(other, item).equal();
    });
    if (!known) out.push_back(item);
  }
  return out;
}

// Two entries may be an interval: the brackets count. More entries: only the order does.
Decision Comparison::tuples(const Answer& gold, const Answer& given) {
  if (gold.items.size() != given.items.size()) return different(Tier::T2);
  const bool ratio = gold.open == ':' || given.open == ':';
  if ((gold.items.size() <= 2 || ratio) && (gold.open != given.open || gold.close != given.close))
    return different(Tier::T2);
  return in_order(gold.items, given.items);
}

Decision Comparison::sets(const Answer& gold, const Answer& given) {
  return any_order(distinct(signs_expanded(gold.items)), distinct(signs_expanded(given.items)));
}

Decision Comparison::matrices(const Answer& gold, const Answer& given) {
  if (gold.columns != given.columns || gold.items.size() != given.items.size())
    return different(Tier::T2);
  return in_order(gold.items, given.items);
}

Decision Comparison::equations(const Answer& gold, const Answer& given) {
  const Answer* wanted = gold.value();
  const Answer* got = given.value();
  if (gold.kind == A::Equation && given.kind == A::Equation) {
    const bool named =
        gold.labelled && given.labelled && !gold.label.empty() && !given.label.empty();
    const bool may_differ =
        gold.label.find('(') != std::string::npos || given.label.find('(') != std::string::npos;
    const bool same = !named || gold.label == given.label ||
                      (may_differ && gold.label.substr(0, 1) != given.label.substr(0, 1) &&
                       (gold.label.substr(0, 1) == "y" || given.label.substr(0, 1) == "y"));
    if (wanted != nullptr && got != nullptr && same) {
      const Decision decision = compare(*wanted, *got);
      if (decision.equal()) return decision;
    }
    const Answer &a = gold.items.front(), &b = gold.items.back();
    const Answer &c = given.items.front(), &d = given.items.back();
    const auto readable = [](const Answer& x) {
      return x.arena != nullptr && x.kind == A::Expression;
    };
    if (!readable(a) || !readable(b) || !readable(c) || !readable(d)) return different(Tier::T2);
    return proportional(a.tree(), b.tree(), c.tree(), d.tree(), false);
  }
  if (gold.kind == A::Equation) {
    if (wanted == nullptr) return different(Tier::T2);
    return flagged(compare(*wanted, given), kLenientK17);
  }
  if (got == nullptr) return different(Tier::T2);
  Decision decision = flagged(compare(gold, *got), kLenientK17);
  if (decision.equal() || given.approximation() == nullptr || gold.kind != A::Expression)
    return decision;
  // The approximation counts where the gold is a decimal of as many places.
  const Answer& about = *given.approximation();
  if (about.kind != A::Expression || about.tree().node().op != Op::Number ||
      gold.tree().node().op != Op::Number ||
      about.tree().node().decimals != gold.tree().node().decimals ||
      gold.tree().node().decimals < 0)
    return decision;
  return flagged(compare(gold, about), kLenientK18);
}

}  // namespace allot::verify
