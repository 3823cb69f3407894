// The kinds of expressions and statements of a chat template.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "allot/text/chat/tree.h"

namespace allot::chat {

struct Literal final : Expression {
  Value constant;
  explicit Literal(Value constant) : constant(std::move(constant)) {}
  Value value(Run&) const override { return constant; }
};

struct Name final : Expression {
  std::string name;
  explicit Name(std::string name) : name(std::move(name)) {}
  Value value(Run& run) const override;
};

struct ListOf final : Expression {
  std::vector<ExpressionPtr> elements;
  Value value(Run& run) const override;
};

struct MappingOf final : Expression {
  std::vector<std::pair<ExpressionPtr, ExpressionPtr>> fields;
  Value value(Run& run) const override;
};

struct Unary final : Expression {  // not, -, +
  std::string symbol;
  ExpressionPtr operand;
  Value value(Run& run) const override;
};

struct Binary final : Expression {  // and, or, and what chat::binary() knows
  std::string symbol;
  ExpressionPtr left, right;
  Value value(Run& run) const override;
};

struct Chain final : Expression {  // a < b <= c: each pair, and all of them
  ExpressionPtr first;
  std::vector<std::pair<std::string, ExpressionPtr>> rest;
  Value value(Run& run) const override;
};

struct Choice final : Expression {           // then if condition else otherwise
  ExpressionPtr condition, then, otherwise;  // otherwise may be nullptr
  Value value(Run& run) const override;
};

struct Attribute final : Expression {
  ExpressionPtr of;
  std::string name;
  Value value(Run& run) const override;
};

struct Item final : Expression {
  ExpressionPtr of, index;
  Value value(Run& run) const override;
};

struct Slice final : Expression {
  ExpressionPtr of, begin, end, step;  // all but `of` may be nullptr
  Value value(Run& run) const override;
};

struct ArgumentList {
  std::vector<ExpressionPtr> positional;
  std::vector<std::pair<std::string, ExpressionPtr>> named;
  Arguments values(Run& run) const;
};

struct Call final : Expression {
  ExpressionPtr function;
  ArgumentList arguments;
  Value value(Run& run) const override;
};

struct Filtered final : Expression {
  ExpressionPtr operand;
  Filter filter = nullptr;
  ArgumentList arguments;
  Value value(Run& run) const override;
};

struct Tested final : Expression {
  ExpressionPtr operand;
  Test test = nullptr;
  ArgumentList arguments;
  Value value(Run& run) const override;
};

struct TextOutput final : Statement {
  std::string text;
  Flow run(Run& run) const override;
};

struct Output final : Statement {
  ExpressionPtr expression;
  Flow run(Run& run) const override;
};

struct If final : Statement {
  std::vector<std::pair<ExpressionPtr, Block>> branches;  // the last one's condition may be nullptr
  Flow run(Run& run) const override;
};

struct For final : Statement {
  std::vector<std::string> names;  // several: each element is taken apart
  ExpressionPtr over, condition;   // condition may be nullptr
  Block body, otherwise;           // otherwise: where there are no elements
  Flow run(Run& run) const override;
};

struct Set final : Statement {
  std::string name, field;   // field of a namespace; "" for a name of its own
  ExpressionPtr expression;  // nullptr: what `body` writes
  Block body;
  Flow run(Run& run) const override;
};

struct Jump final : Statement {
  Flow flow = Flow::Break;
  Flow run(Run&) const override { return flow; }
};

struct Group final : Statement {  // {% generation %}: marks a part and changes nothing
  Block body;
  Flow run(Run& run) const override { return run_block(body, run); }
};

struct Macro final : Statement {
  std::string name;
  std::vector<std::pair<std::string, ExpressionPtr>> parameters;  // with defaults or nullptr
  Block body;
  Flow run(Run& run) const override;
};

}  // namespace allot::chat
