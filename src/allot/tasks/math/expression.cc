#include "allot/tasks/math/expression.h"

#include <algorithm>

namespace allot::verify {

// The parser bounds the depth of a tree, hence of these recursions.
bool contains(Tree tree, Op op) {
  if (tree.node().op == op) return true;
  for (std::size_t i = 0; i < tree.node().kids.size(); ++i)
    if (contains(tree.kid(i), op)) return true;
  return false;
}

bool contains_symbol(Tree tree, std::string_view name) {
  if (tree.node().op == Op::Symbol && tree.node().name == name) return true;
  for (std::size_t i = 0; i < tree.node().kids.size(); ++i)
    if (contains_symbol(tree.kid(i), name)) return true;
  return false;
}

void collect_symbols(Tree tree, std::vector<std::string>& names) {
  const Node& node = tree.node();
  if (node.op == Op::Symbol && node.name != "pi" && node.name != "e" &&
      std::find(names.begin(), names.end(), node.name) == names.end())
    names.push_back(node.name);
  for (std::size_t i = 0; i < node.kids.size(); ++i) collect_symbols(tree.kid(i), names);
}

NodeId with_sign(Arena& arena, NodeId id, bool upper) {
  Node copy = arena[id];
  for (NodeId& kid : copy.kids) kid = with_sign(arena, kid, upper);
  if (copy.op == Op::PlusMinus || copy.op == Op::MinusPlus) {
    const bool plus = (copy.op == Op::PlusMinus) == upper;
    if (!plus) copy.kids.back() = arena.make(Op::Negate, {copy.kids.back()});
    copy.op = Op::Add;
  }
  return arena.add(std::move(copy));
}

}  // namespace allot::verify
