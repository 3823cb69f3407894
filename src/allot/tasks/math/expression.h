// Expressions as trees. A tree lives in the arena it was parsed into and is never changed after.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "allot/tasks/math/rational.h"
#include "allot/tasks/math/tokens.h"

namespace allot::verify {

using NodeId = std::uint32_t;

enum class Op : std::uint8_t {
  Number,  // value; decimals and significant say how it was written
  Symbol,  // name: "x", "x_1", "alpha"; pi, e, i are names, too
  Opaque,  // name: the spelling of what is compared as written, never evaluated (a sum sign)
  Infinity,
  Add,       // any number of kids
  Multiply,  // any number of kids
  Divide,
  Power,
  Negate,
  Function,  // name: "sin", "log" (unknown base), "ln", "call:f", ...
  Factorial,
  Degree,     // kid degrees
  PlusMinus,  // kids a, b: a +- b
  MinusPlus,
  BaseNumeral  // value; name: the digits and the base as written
};

struct Node {
  Op op;
  std::vector<NodeId> kids;
  Rational value;
  std::string name;
  int decimals = -1;    // Number: digits behind the point; -1 = no point
  int significant = 0;  // Number: digits shown, without leading zeros
};

class Arena {
 public:
  explicit Arena(Work& work) : work_(&work) {}
  NodeId add(Node node) {
    work_->spend(4);
    nodes_.push_back(std::move(node));
    return static_cast<NodeId>(nodes_.size() - 1);
  }
  NodeId number(Rational value) { return add({Op::Number, {}, std::move(value), {}}); }
  NodeId make(Op op, std::vector<NodeId> kids, std::string name = {}) {
    return add({op, std::move(kids), 0, std::move(name)});
  }
  const Node& operator[](NodeId id) const { return nodes_[id]; }
  // The work of another call; the arena of a Gold outlives the one it was made with.
  void charge_to(Work& work) { work_ = &work; }

 private:
  std::vector<Node> nodes_;
  Work* work_;
};

// An expression in its arena.
struct Tree {
  const Arena* arena = nullptr;
  NodeId id = 0;
  const Node& node() const { return (*arena)[id]; }
  Tree kid(std::size_t i) const { return {arena, node().kids[i]}; }
};

bool contains(Tree tree, Op op);
bool contains_symbol(Tree tree, std::string_view name);
// Names that stand for unknown values: all symbols but pi, e and, where it is the unit, i.
void collect_symbols(Tree tree, std::vector<std::string>& names);

// A copy in which every plus-minus sign is one of its two signs.
NodeId with_sign(Arena& arena, NodeId id, bool upper);

}  // namespace allot::verify
