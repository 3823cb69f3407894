// A parsed chat template: expressions that have values, statements that write text.
#pragma once

#include <cstdint>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "allot/text/chat/value.h"

namespace allot::chat {

// One rendering. Its limits make every template end: a step is an expression or a statement.
class Run {
 public:
  static constexpr std::uint64_t kSteps = 2'000'000;
  static constexpr std::size_t kLongest = 16 << 20;  // bytes of output and of any one text
  static constexpr int kDeepest = 100;               // of macros calling each other

  using Names = std::map<std::string, Value, std::less<>>;

  explicit Run(Names globals) { scopes_.push_back(std::move(globals)); }

  void spend(std::uint64_t steps = 1) {
    used_ += steps;
    if (used_ > kSteps) fail("it takes more than ", kSteps, " steps");
  }
  void write(std::string_view text) {
    if (out_.size() + text.size() > kLongest) fail("it writes more than ", kLongest, " bytes");
    out_ += text;
  }
  // What `body` writes, apart from the rest.
  template <class Body>
  std::string captured(const Body& body) {
    std::string outer = std::move(out_);
    out_.clear();
    body();
    return std::exchange(out_, std::move(outer));
  }
  std::string take() { return std::move(out_); }
  // What handling a value costs: large ones count for more, so that steps bound time and memory.
  void spend_on(const Value& value) {
    if (value.text() != nullptr) spend(value.text()->size() / 64);
    if (value.list() != nullptr) spend(value.list()->size());
    if (value.fields() != nullptr) spend(value.fields()->size());
  }

  Value get(const std::string& name) const;
  void set(const std::string& name, Value value) { scopes_.back()[name] = std::move(value); }
  // `body` in a scope of its own.
  template <class Body>
  void scoped(Names names, const Body& body) {
    scopes_.push_back(std::move(names));
    body();
    scopes_.pop_back();
  }
  // `body` with the outermost scope and `names` alone: a macro sees nothing of its caller.
  template <class Body>
  void called(Names names, const Body& body) {
    if (++depth_ > kDeepest) fail("macros call each other more than ", kDeepest, " deep");
    std::vector<Names> callers(std::make_move_iterator(scopes_.begin() + 1),
                               std::make_move_iterator(scopes_.end()));
    scopes_.resize(1);
    scoped(std::move(names), body);
    for (Names& caller : callers) scopes_.push_back(std::move(caller));
    --depth_;
  }

  std::size_t line = 0;  // of the statement that is being rendered

 private:
  std::vector<Names> scopes_;
  std::string out_;
  std::uint64_t used_ = 0;
  int depth_ = 0;
};

struct Expression {
  virtual ~Expression() = default;
  virtual Value value(Run& run) const = 0;
};
using ExpressionPtr = std::unique_ptr<const Expression>;

enum class Flow : std::uint8_t { Next, Break, Continue };

struct Statement {
  std::size_t line = 0;
  virtual ~Statement() = default;
  virtual Flow run(Run& run) const = 0;
};
using Block = std::vector<std::unique_ptr<const Statement>>;

Flow run_block(const Block& block, Run& run);

// Value of a part of another: fields, methods, elements, and the attributes of a namespace.
// Undefined where there is none.
Value attribute(const Value& value, const std::string& name);
Value item(const Value& value, const Value& index);
Value slice(const Value& value, const Value& begin, const Value& end, const Value& step);

// left OP right for + - * / // % ~ and the comparisons.
Value binary(const std::string& symbol, const Value& left, const Value& right);

using Filter = Value (*)(const Value& value, const Arguments& arguments);
using Test = bool (*)(const Value& value, const Arguments& arguments);

// nullptr: there is none of that name.
Filter find_filter(std::string_view name);
Test find_test(std::string_view name);
// A method of a text or mapping, bound to it; undefined where there is none.
Value find_method(const Value& value, std::string_view name);
bool is_method(std::string_view name);  // of either

}  // namespace allot::chat
