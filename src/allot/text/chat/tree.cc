#include "allot/text/chat/tree.h"

#include <algorithm>
#include <cmath>

namespace allot::chat {
namespace {

Value arithmetic(const std::string& symbol, const Value& left, const Value& right) {
  const auto* a = left.get<std::int64_t>();
  const auto* b = right.get<std::int64_t>();
  const auto real = [&](const Value& value) {
    if (const auto* whole = value.get<std::int64_t>()) return static_cast<double>(*whole);
    if (const double* number = value.get<double>()) return *number;
    fail(symbol, " was to be applied to ", left.kind(), " and ", right.kind());
  };
  const double x = real(left), y = real(right);
  const bool divides = symbol == "/" || symbol == "//" || symbol == "%";
  if (divides && y == 0) fail("division by zero");
  if (symbol == "/") return x / y;
  if (a == nullptr || b == nullptr) {
    if (symbol == "+") return x + y;
    if (symbol == "-") return x - y;
    if (symbol == "*") return x * y;
    if (symbol == "//") return std::floor(x / y);
    return x - y * std::floor(x / y);
  }
  std::int64_t result = 0;
  bool overflow = false;
  if (symbol == "+") overflow = __builtin_add_overflow(*a, *b, &result);
  if (symbol == "-") overflow = __builtin_sub_overflow(*a, *b, &result);
  if (symbol == "*") overflow = __builtin_mul_overflow(*a, *b, &result);
  if (symbol == "//" || symbol == "%") {
    if (*b == -1) {
      overflow = __builtin_sub_overflow(std::int64_t{0}, *a, &result);
      if (symbol == "%") return std::int64_t{0};
    } else {
      const std::int64_t rest = *a % *b;
      const bool below = rest != 0 && (rest < 0) != (*b < 0);
      result = symbol == "%" ? rest + (below ? *b : 0) : *a / *b - (below ? 1 : 0);
    }
  }
  if (overflow) fail("a number is too large");
  return result;
}

std::int64_t whole(const Value& value, std::string_view what) {
  if (const auto* number = value.get<std::int64_t>()) return *number;
  fail(what, " is ", value.kind(), "; a whole number is needed");
}

}  // namespace

Value Run::get(const std::string& name) const {
  for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
    const auto found = scope->find(name);
    if (found != scope->end()) return found->second;
  }
  return Undefined{name};
}

Flow run_block(const Block& block, Run& run) {
  for (const auto& statement : block) {
    run.spend();
    run.line = statement->line;
    const Flow flow = statement->run(run);
    if (flow != Flow::Next) return flow;
  }
  return Flow::Next;
}

Value binary(const std::string& symbol, const Value& left, const Value& right) {
  if (symbol == "==") return equal(left, right);
  if (symbol == "!=") return !equal(left, right);
  if (symbol == "<") return compare(left, right) < 0;
  if (symbol == "<=") return compare(left, right) <= 0;
  if (symbol == ">") return compare(left, right) > 0;
  if (symbol == ">=") return compare(left, right) >= 0;
  if (symbol == "in") return contains(right, left);
  if (symbol == "not in") return !contains(right, left);
  const std::string *a = left.text(), *b = right.text();
  if (symbol == "~" || (symbol == "+" && a != nullptr && b != nullptr)) {
    std::string joined = to_text(left) + to_text(right);
    if (joined.size() > Run::kLongest) fail("a text has more than ", Run::kLongest, " bytes");
    return joined;
  }
  if (symbol == "+" && left.list() != nullptr && right.list() != nullptr) {
    List both = *left.list();
    both.insert(both.end(), right.list()->begin(), right.list()->end());
    if (both.size() > Run::kSteps) fail("a list is too long");
    return both;
  }
  return arithmetic(symbol, left, right);
}

Value attribute(const Value& value, const std::string& name) {
  if (const Namespace* space = value.get<Namespace>()) {
    const Value* found = find(*space->fields, name);
    return found == nullptr ? Value(Undefined{name}) : *found;
  }
  if (value.is_undefined()) fail("'", name, "' was asked of ", value.kind());
  Value method = find_method(value, name);
  if (!method.is_undefined() || value.fields() == nullptr) return method;
  const Value* found = find(*value.fields(), name);
  return found == nullptr ? Value(Undefined{name}) : *found;
}

Value item(const Value& value, const Value& index) {
  if (value.is_undefined()) fail("an element was asked of ", value.kind());
  if (const std::string* name = index.text()) {
    const Value* found = value.fields() == nullptr ? nullptr : find(*value.fields(), *name);
    return found == nullptr ? attribute(value, *name) : *found;
  }
  const auto* number = index.get<std::int64_t>();
  if (number == nullptr || (value.list() == nullptr && value.text() == nullptr)) return Undefined{};
  const List all = elements(value);
  const auto size = static_cast<std::int64_t>(all.size());
  const std::int64_t place = *number < 0 ? *number + size : *number;
  if (place < 0 || place >= size) return Undefined{concat("[", *number, "]")};
  return all[static_cast<std::size_t>(place)];
}

Value slice(const Value& value, const Value& begin, const Value& end, const Value& step) {
  if (value.list() == nullptr && value.text() == nullptr)
    fail("a part was asked of ", value.kind());
  const List all = elements(value);
  const auto size = static_cast<std::int64_t>(all.size());
  const std::int64_t by = step.is_none() ? 1 : whole(step, "the step of a slice");
  if (by == 0) fail("the step of a slice is 0");
  const std::int64_t low = by > 0 ? 0 : -1, high = by > 0 ? size : size - 1;
  const auto bound = [&](const Value& given, std::int64_t otherwise) {
    if (given.is_none()) return otherwise;
    std::int64_t place = whole(given, "the bound of a slice");
    if (place < 0) place += size;
    return std::clamp(place, low, high);
  };
  const std::int64_t from = bound(begin, by > 0 ? low : high), to = bound(end, by > 0 ? high : low);
  List part;
  for (std::int64_t i = from; by > 0 ? i < to : i > to; i += by) {
    part.push_back(all[static_cast<std::size_t>(i)]);
    if (by > size || by < -size) break;  // the next one would be outside, or overflow
  }
  if (value.list() != nullptr) return part;
  std::string text;
  for (const Value& one : part) text += *one.text();
  return text;
}

}  // namespace allot::chat
