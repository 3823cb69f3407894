#include "allot/text/chat/nodes.h"

#include <algorithm>

namespace allot::chat {
namespace {

Value or_none(const ExpressionPtr& expression, Run& run) {
  return expression == nullptr ? Value(None{}) : expression->value(run);
}

// `loop` as the body sees it for element `i` of `all`.
Value loop_value(const List& all, std::size_t i) {
  const auto number = [](std::size_t n) { return Value(static_cast<std::int64_t>(n)); };
  Fields loop = {{"index", number(i + 1)},
                 {"index0", number(i)},
                 {"revindex", number(all.size() - i)},
                 {"revindex0", number(all.size() - i - 1)},
                 {"first", i == 0},
                 {"last", i + 1 == all.size()},
                 {"length", number(all.size())}};
  if (i > 0) loop.emplace_back("previtem", all[i - 1]);
  if (i + 1 < all.size()) loop.emplace_back("nextitem", all[i + 1]);
  return loop;
}

}  // namespace

Value Name::value(Run& run) const {
  Value found = run.get(name);
  run.spend_on(found);
  return found;
}

Value ListOf::value(Run& run) const {
  List all;
  for (const auto& element : elements) all.push_back(element->value(run));
  return all;
}

Value MappingOf::value(Run& run) const {
  Fields all;
  for (const auto& [name, field] : fields) {
    const Value key = name->value(run);
    if (key.text() == nullptr) fail("a name in a mapping is ", key.kind(), "; text is needed");
    std::erase_if(all, [&](const auto& earlier) { return earlier.first == *key.text(); });
    all.emplace_back(*key.text(), field->value(run));
  }
  return all;
}

Value Unary::value(Run& run) const {
  run.spend();
  const Value given = operand->value(run);
  if (symbol == "not") return !given.truth();
  return binary(symbol, std::int64_t{0}, given);
}

Value Binary::value(Run& run) const {
  run.spend();
  Value first = left->value(run);
  if (symbol == "and") return first.truth() ? right->value(run) : first;
  if (symbol == "or") return first.truth() ? first : right->value(run);
  const Value second = right->value(run);
  run.spend_on(first);
  run.spend_on(second);
  return binary(symbol, first, second);
}

Value Chain::value(Run& run) const {
  run.spend();
  Value left = first->value(run);
  for (const auto& [symbol, operand] : rest) {
    Value right = operand->value(run);
    run.spend_on(left);
    run.spend_on(right);
    Value holds = binary(symbol, left, right);
    if (!holds.truth()) return holds;
    left = std::move(right);
  }
  return true;
}

Value Choice::value(Run& run) const {
  run.spend();
  if (condition->value(run).truth()) return then->value(run);
  return otherwise == nullptr ? Value() : otherwise->value(run);
}

Value Attribute::value(Run& run) const {
  run.spend();
  const Value whole = of->value(run);
  run.spend_on(whole);
  return attribute(whole, name);
}

Value Item::value(Run& run) const {
  run.spend();
  const Value whole = of->value(run);
  run.spend_on(whole);
  return item(whole, index->value(run));
}

Value Slice::value(Run& run) const {
  const Value whole = of->value(run);
  const Value from = or_none(begin, run), to = or_none(end, run), by = or_none(step, run);
  run.spend(static_cast<std::uint64_t>(length(whole)) + 1);
  return slice(whole, from, to, by);
}

Arguments ArgumentList::values(Run& run) const {
  Arguments arguments;
  for (const auto& one : positional) arguments.positional.push_back(one->value(run));
  for (const auto& [name, one] : named) arguments.named.emplace_back(name, one->value(run));
  return arguments;
}

Value Call::value(Run& run) const {
  run.spend();
  const Value called = function->value(run);
  if (called.function() == nullptr) fail(called.kind(), " was to be called");
  return called.function()->call(arguments.values(run));
}

Value Filtered::value(Run& run) const {
  const Value given = operand->value(run);
  run.spend();
  run.spend_on(given);
  return filter(given, arguments.values(run));
}

Value Tested::value(Run& run) const {
  const Value given = operand->value(run);
  run.spend();
  run.spend_on(given);
  return test(given, arguments.values(run));
}

Flow TextOutput::run(Run& run) const {
  run.write(text);
  return Flow::Next;
}

Flow Output::run(Run& run) const {
  run.write(to_text(expression->value(run)));
  return Flow::Next;
}

Flow If::run(Run& run) const {
  for (const auto& [condition, block] : branches)
    if (condition == nullptr || condition->value(run).truth()) return run_block(block, run);
  return Flow::Next;
}

Flow For::run(Run& run) const {
  List all = elements(over->value(run));
  const auto bound = [&](const Value& element) {
    Run::Names scope;
    if (names.size() == 1) {
      scope.emplace(names[0], element);
      return scope;
    }
    const List parts = elements(element);
    if (parts.size() != names.size())
      fail("an element has ", parts.size(), " parts; ", names.size(), " names are given");
    for (std::size_t i = 0; i < parts.size(); ++i) scope.insert_or_assign(names[i], parts[i]);
    return scope;
  };
  if (condition != nullptr)
    std::erase_if(all, [&](const Value& element) {
      bool keep = false;
      run.scoped(bound(element), [&] { keep = condition->value(run).truth(); });
      return !keep;
    });
  for (std::size_t i = 0; i < all.size(); ++i) {
    run.spend(8);  // what `loop` costs
    Run::Names scope = bound(all[i]);
    scope.emplace("loop", loop_value(all, i));
    Flow flow = Flow::Next;
    run.scoped(std::move(scope), [&] { flow = run_block(body, run); });
    if (flow == Flow::Break) break;
  }
  return all.empty() ? run_block(otherwise, run) : Flow::Next;
}

Flow Set::run(Run& run) const {
  Value value;
  if (expression == nullptr)
    value = run.captured([&] { run.scoped({}, [&] { run_block(body, run); }); });
  else
    value = expression->value(run);
  if (field.empty()) {
    run.set(name, std::move(value));
    return Flow::Next;
  }
  const Value space = run.get(name);
  const Namespace* found = space.get<Namespace>();
  if (found == nullptr)
    fail("'", name, "' is ", space.kind(), "; only a namespace has fields to set");
  if (value.get<Namespace>() != nullptr) fail("a namespace cannot hold another");
  Fields& fields = *found->fields;
  const auto place = std::find_if(fields.begin(), fields.end(),
                                  [&](const auto& entry) { return entry.first == field; });
  if (place == fields.end())
    fields.emplace_back(field, std::move(value));
  else
    place->second = std::move(value);
  return Flow::Next;
}

Flow Macro::run(Run& run) const {
  run.set(name, Function{[this, &run](const Arguments& arguments) -> Value {
            if (arguments.positional.size() > parameters.size())
              fail("the macro ", name, " takes ", parameters.size(), " arguments");
            for (const auto& [given, unused] : arguments.named)
              if (std::none_of(parameters.begin(), parameters.end(),
                               [&](const auto& parameter) { return parameter.first == given; }))
                fail("the macro ", name, " has no argument '", given, "'");
            std::string written;
            run.called({}, [&] {
              for (std::size_t i = 0; i < parameters.size(); ++i) {
                const auto& [parameter, otherwise] = parameters[i];
                const Value* named = find(arguments.named, parameter);
                if (i < arguments.positional.size())
                  run.set(parameter, arguments.positional[i]);
                else if (named != nullptr)
                  run.set(parameter, *named);
                else
                  run.set(parameter, otherwise == nullptr ? Value(Undefined{parameter})
                                                          : otherwise->value(run));
              }
              written = run.captured([&] { run_block(body, run); });
            });
            return written;
          }});
  return Flow::Next;
}

}  // namespace allot::chat
