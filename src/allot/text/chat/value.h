// Values of a chat template, with the meaning that Python gives them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "allot/core/error.h"

namespace allot::chat {

class Value;
using List = std::vector<Value>;
using Fields = std::vector<std::pair<std::string, Value>>;  // in order of insertion; names distinct

// Positional and named arguments of a call.
struct Arguments {
  List positional;
  Fields named;
};

struct Undefined {
  std::string name;  // for messages
};
struct None {};
struct Function {
  std::function<Value(const Arguments&)> call;
};
struct Namespace {
  std::shared_ptr<Fields> fields;  // the only thing in a template that changes
};

class Value {
 public:
  Value() : data_(Undefined{}) {}
  Value(Undefined undefined) : data_(std::move(undefined)) {}  // NOLINT: a value is made of what
  Value(None none) : data_(none) {}                            // NOLINT: it is, everywhere below
  Value(bool truth) : data_(truth) {}                          // NOLINT
  Value(std::int64_t number) : data_(number) {}                // NOLINT
  Value(double number) : data_(number) {}                      // NOLINT
  Value(std::string text) : data_(std::move(text)) {}          // NOLINT
  Value(const char* text) : data_(std::string(text)) {}        // NOLINT
  Value(List list) : data_(std::make_shared<const List>(std::move(list))) {}          // NOLINT
  Value(Fields fields) : data_(std::make_shared<const Fields>(std::move(fields))) {}  // NOLINT
  Value(Function function)                                                            // NOLINT
      : data_(std::make_shared<const Function>(std::move(function))) {}
  Value(Namespace space) : data_(std::move(space)) {}  // NOLINT

  template <class T>
  const T* get() const {
    return std::get_if<T>(&data_);
  }
  const std::string* text() const { return get<std::string>(); }
  const List* list() const { return shared<List>(); }
  const Fields* fields() const { return shared<Fields>(); }
  const Function* function() const { return shared<Function>(); }
  bool is_undefined() const { return get<Undefined>() != nullptr; }
  bool is_none() const { return get<None>() != nullptr; }

  bool truth() const;
  // "a list", "undefined ('x')", ... for messages.
  std::string kind() const;

 private:
  template <class T>
  const T* shared() const {
    const auto* pointer = std::get_if<std::shared_ptr<const T>>(&data_);
    return pointer == nullptr ? nullptr : pointer->get();
  }

  std::variant<Undefined, None, bool, std::int64_t, double, std::string,
               std::shared_ptr<const List>, std::shared_ptr<const Fields>,
               std::shared_ptr<const Function>, Namespace>
      data_;
};

// What goes wrong while a template is rendered; the renderer adds file and line.
struct Failure {
  std::string what;
};
template <class... Parts>
[[noreturn]] void fail(const Parts&... parts) {
  throw Failure{concat(parts...)};
}

const Value* find(const Fields& fields, std::string_view name);  // nullptr: none

bool equal(const Value& a, const Value& b);
int compare(const Value& a, const Value& b);  // below, equal to or above 0; numbers or texts only
bool contains(const Value& container, const Value& item);
// Of text in characters. Fails for what has no length.
std::int64_t length(const Value& value);
// The elements that a loop over the value sees; none of an undefined one.
List elements(const Value& value);
// The characters of a text, each a text.
std::vector<std::string> characters(std::string_view text);

// As str() writes it; fails for lists and mappings, whose spelling no template should depend on.
std::string to_text(const Value& value);
// As json.dumps(ensure_ascii=False); `indent` below 0: on one line.
std::string to_json(const Value& value, int indent);

}  // namespace allot::chat
