#include "allot/tasks/math/value_reader.h"

#include <utility>

namespace allot::verify {
namespace {

using K = TokenKind;
using A = AnswerKind;

}  // namespace

// A value with what stands around it: currency, percent, degrees, unit, words.
Answer ValueReader::read(TokenRange range) {
  Answer found;
  bool negative = false;
  std::size_t begin = range.begin;
  if (tokens_[begin].kind == K::Minus && begin + 1 < range.end &&
      tokens_[begin + 1].kind == K::Currency) {
    negative = true;
    ++begin;
  }
  if (tokens_[begin].kind == K::Currency) {
    found.unit = *unit_of(tokens_[begin].text);
    ++begin;
  }
  if (begin == range.end) throw Unreadable{};
  const std::size_t stop = unit_letter({begin, range.end});
  std::size_t rest = begin;
  try {
    found.node = ExpressionParser(arena_, tokens_, partner_, work_).parse_part({begin, stop}, rest);
    if (rest < range.end) behind(found, {rest, range.end});
  } catch (const Unreadable&) {
    return words(range);
  }
  if (negative) found.node = arena_.make(Op::Negate, {found.node});
  peel_degrees(found);
  const Tree tree{&arena_, found.node};
  if (contains(tree, Op::PlusMinus) || contains(tree, Op::MinusPlus)) return both_signs(found);
  return found;
}

// K20: the two values of a plus-minus sign.
Answer ValueReader::both_signs(const Answer& value) {
  Answer found;
  found.kind = A::List;
  found.plus_minus = true;
  for (const bool upper : {true, false}) {
    Answer one = value;
    one.arena = &arena_;
    one.node = with_sign(arena_, value.node, upper);
    found.items.push_back(std::move(one));
  }
  return found;
}

std::optional<Unit> ValueReader::unit_of(std::string_view text) {
  const std::optional<UnitText> read = read_unit(text, work_);
  return read ? std::optional<Unit>(read->unit) : std::nullopt;
}

// Where a unit of one letter begins at the end of the range: "4 m", "9m^2"; range.end without.
std::size_t ValueReader::unit_letter(TokenRange range) const {
  for (std::size_t i = range.begin + 1; i < range.end; ++i) {
    if (tokens_[i].kind != K::Symbol || !is_unit_letter(tokens_[i].text)) continue;
    if (tokens_[i - 1].kind != K::Number) continue;
    const bool raised = i + 2 < range.end && tokens_[i + 1].kind == K::Caret;
    const std::size_t power = raised && tokens_[i + 2].kind == K::Open ? i + 3 : i + 2;
    const bool power_unit = raised && (tokens_[power].text == "2" || tokens_[power].text == "3");
    const bool ends = i + 1 == range.end || power_unit || tokens_[i + 1].kind == K::Slash ||
                      tokens_[i + 1].kind == K::Word;
    if (ends && (tokens_[i].space_before || tokens_[i].wrapped || power_unit)) return i;
  }
  return range.end;
}

void ValueReader::behind(Answer& found, TokenRange range) {
  if (tokens_[range.begin].kind == K::Percent) {
    found.percent = true;
    ++range.begin;
  }
  std::string text;
  for (std::size_t i = range.begin; i < range.end; ++i) {
    const K kind = tokens_[i].kind;
    const bool plain = kind == K::Word || kind == K::Text || kind == K::Symbol ||
                       kind == K::Caret || kind == K::Slash || kind == K::Times ||
                       kind == K::Open || kind == K::Close || kind == K::Minus ||
                       kind == K::Number || kind == K::Currency || kind == K::Function ||
                       kind == K::In || kind == K::Degree;
    if (!plain || tokens_[i].text == "set{") throw Unreadable{};
    text += tokens_[i].text + " ";
  }
  const std::optional<UnitText> unit = read_unit(text, work_);
  if (!unit) throw Unreadable{};
  if (unit->unit.empty() && !unit->annotated) return;
  if (!unit->unit.empty()) {
    if (!found.unit.empty() && found.unit.name != unit->unit.name) throw Unreadable{};
    found.unit = unit->unit;
  } else if (tokens_[range.begin].kind != K::Word && tokens_[range.begin].kind != K::Text &&
             tokens_[range.begin].kind != K::Open) {
    throw Unreadable{};
  }
  found.annotated = unit->annotated;
}

// 90 degrees at the top is a number with a unit; deeper it is an angle. "5 degrees C", too.
void ValueReader::peel_degrees(Answer& found) {
  Node node = arena_[found.node];
  bool negative = false;
  if (node.op == Op::Negate) {
    negative = true;
    node = arena_[node.kids[0]];
  }
  if (node.op == Op::Multiply && node.kids.size() == 2 && arena_[node.kids[0]].op == Op::Degree &&
      arena_[node.kids[1]].op == Op::Symbol &&
      (arena_[node.kids[1]].name == "C" || arena_[node.kids[1]].name == "F")) {
    found.unit = *unit_of("deg" + arena_[node.kids[1]].name);
    node = arena_[node.kids[0]];
  } else if (node.op == Op::Degree) {
    found.unit = *unit_of("deg");
  } else {
    return;
  }
  found.node = negative ? arena_.make(Op::Negate, {node.kids[0]}) : node.kids[0];
}

// Only words: an answer in words.
Answer ValueReader::words(TokenRange range) const {
  bool word = false;
  for (std::size_t i = range.begin; i < range.end; ++i) {
    const K kind = tokens_[i].kind;
    word |= kind == K::Word || kind == K::Text || kind == K::Dots;
    if (kind != K::Word && kind != K::Text && kind != K::Symbol && kind != K::Prime &&
        kind != K::Minus && kind != K::Dots && kind != K::In)
      throw Unreadable{};
  }
  if (!word) throw Unreadable{};
  Answer found;
  found.kind = A::Text;
  for (std::size_t i = range.begin; i < range.end; ++i)
    found.text += tokens_[i].text + (tokens_[i].kind == K::Prime ? "" : " ");
  return found;
}

}  // namespace allot::verify
