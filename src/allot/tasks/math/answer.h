// A typed answer: what a string claims to be. Source: verifier specification, sections 5 and 6.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "allot/tasks/math/expression.h"
#include "allot/tasks/math/units.h"

namespace allot::verify {

enum class AnswerKind : std::uint8_t {
  Expression,  // node
  Text,        // text
  List,        // items, bare: separated by commas, semicolons, "and", "or"
  Tuple,       // items in brackets: also intervals of two
  Set,         // items in braces
  Union,       // items: sets and intervals
  Difference,  // two items: a set without another
  Matrix,      // items row by row, columns
  Equation,    // items are the members of a chain, relations between them
  Inequality   // the same, with at least one < > <= >= !=
};

struct Answer {
  AnswerKind kind = AnswerKind::Expression;
  const Arena* arena = nullptr;
  NodeId node = 0;
  std::vector<Answer> items;
  std::vector<std::string> relations;  // Equation, Inequality: relations[i] follows items[i]
  char open = 0, close = 0;            // Tuple; ':' for a ratio
  std::size_t columns = 0;             // Matrix
  bool alternatives = false;           // List whose items are joined by "or"

  bool plus_minus = false;  // List: the two values of a plus-minus sign

  std::string text;  // the spelling without spaces; of Text: for comparison, see folded()
  Unit unit;
  bool percent = false;
  bool annotated = false;   // words behind the value were ignored
  bool labelled = false;    // Equation: its left side only names its value
  bool whole_left = false;  // Equation: its left side contains no variable
  std::string label;        // of `x = 5`, `x \in S`: "x"
  // The same text with its only comma as a decimal comma, if it can be read so.
  std::shared_ptr<const Answer> decimal_comma;

  Tree tree() const { return {arena, node}; }
  // Equation whose left side is a label or a number: the member that it claims.
  const Answer* value() const;
  // The member behind "about", where the exact one is given, too; else nullptr.
  const Answer* approximation() const;
};

// Reads a string that has been through in_latex(). Throws Unreadable or LimitReached.
Answer parse_answer(std::string_view text, Arena& arena, Work& work, std::string& spelled);

// Text for comparison: without wrappers and punctuation, lower case, one space between words.
std::string folded(std::string_view text);

}  // namespace allot::verify
