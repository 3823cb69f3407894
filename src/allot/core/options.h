// Options, declared once.
//
//   struct AeroOptions {
//     int explore = 0;
//     Degenerate degenerate = Degenerate::Bernoulli;
//     template <class V> void fields(V& v) {
//       v("explore", explore, Range{0, 1024}, "rollouts per prompt in the first round");
//       v("degenerate", degenerate, Choices<Degenerate>{{"bernoulli", Degenerate::Bernoulli}, ...},
//         "advantage of one-sided groups");
//       v("kl", kl);                                  // a nested struct: keys kl.*
//     }
//   };
//
// From that one declaration come the YAML keys, --set, --help, the table in the docs, Python
// keyword arguments and the copy in the run folder. Rules that concern several fields belong into
// the struct's own validate().
//
// An OptionList refers to the struct it was made from, which must outlive it.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace allot {

// Both ends are included. Values that are not finite are refused.
struct Range {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
};

// A value of an enum and what it is called.
struct Choice {
  const char* name;
  int value;
};

template <class Enum>
struct Choices {
  struct Item : Choice {
    Item(const char* name, Enum value) : Choice{name, static_cast<int>(value)} {}
  };
  Choices(std::initializer_list<Item> items) {
    for (const Item& item : items) list.push_back(item);
  }
  std::vector<Choice> list;
};

struct Option {
  // What holds the value; EnumSlot stands for any enum. Its type is hidden here, at once, so that
  // all that is done with options is compiled once and not for each enum and in each source.
  struct EnumSlot {
    std::vector<Choice> choices;
    void* value;
    int (*read)(const void* value);
    void (*write)(void* value, int choice);
    // The name of the value.
    const char* name() const;
  };
  using Slot = std::variant<bool*, int*, std::uint64_t*, double*, std::string*, std::vector<int>*,
                            std::vector<double>*, std::vector<std::string>*, EnumSlot>;

  std::string key;  // full dotted key, e.g. "alloc.aero.explore"
  Slot slot;
  Range range;  // of numbers, and of the elements of lists of numbers
  std::string help;
  std::string default_text;  // value when the list was made
  std::string origin;        // "" = default, else who set it: a file's name or "--set"

  // "bool", "int", "float", "text", "list of int", ..., "bernoulli | none_std | off".
  std::string type() const;
  // The value as YAML and JSON text: 3, 0.5, true, "text", [1, 8].
  std::string text() const;
  // Text without quotes for strings and enums: what --set takes.
  std::string plain_text() const;
};

class OptionList {
 public:
  // Keys of `object` under `prefix` ("" or "alloc.aero").
  template <class T>
  static OptionList of(T& object, std::string prefix = {}) {
    OptionList list;
    list.add(object, std::move(prefix));
    return list;
  }

  template <class T>
  void add(T& object, std::string prefix);

  const std::vector<Option>& all() const { return options_; }
  const Option* find(std::string_view key) const;

  // Sets `key` from text, as in a YAML scalar or "--set key=value"; a list as "[1, 8]" or "1,8".
  // Throws Error(Config): an unknown key names the nearest one, a value out of range names the key,
  // the value and the range.
  void set(std::string_view key, std::string_view text, std::string_view origin);

  // Markdown table: key, type, default, range, meaning.
  std::string docs_table() const;
  // [{"key", "type", "default", "value", "range", "help"}, ...]
  std::string json() const;
  // Nested YAML of all current values, in declaration order.
  std::string yaml() const;

 private:
  std::vector<Option> options_;
};

// The visitor that fields() is called with; only OptionList makes one.
class FieldVisitor {
 public:
  FieldVisitor(std::vector<Option>& out, std::string prefix);

  void operator()(const char* name, int& value, Range range, std::string_view help);
  void operator()(const char* name, std::uint64_t& value, Range range, std::string_view help);
  void operator()(const char* name, double& value, Range range, std::string_view help);
  void operator()(const char* name, std::vector<int>& value, Range range, std::string_view help);
  void operator()(const char* name, std::vector<double>& value, Range range, std::string_view help);
  void operator()(const char* name, bool& value, std::string_view help);
  void operator()(const char* name, std::string& value, std::string_view help);
  void operator()(const char* name, std::vector<std::string>& value, std::string_view help);
  template <class Enum>
  requires std::is_enum_v<Enum>
  void operator()(const char* name, Enum& value, Choices<Enum> choices, std::string_view help) {
    push(name,
         Option::EnumSlot{
             std::move(choices.list), &value,
             [](const void* v) { return static_cast<int>(*static_cast<const Enum*>(v)); },
             [](void* v, int choice) { *static_cast<Enum*>(v) = static_cast<Enum>(choice); }},
         {}, help);
  }
  template <class T>
  requires std::is_class_v<T>
  void operator()(const char* name, T& nested) {
    FieldVisitor inner(out_, joined(name));
    nested.fields(inner);
  }

 private:
  std::string joined(const char* name) const;
  void push(const char* name, Option::Slot slot, Range range, std::string_view help);

  std::vector<Option>& out_;
  std::string prefix_;
};

template <class T>
void OptionList::add(T& object, std::string prefix) {
  FieldVisitor visitor(options_, std::move(prefix));
  object.fields(visitor);
}

}  // namespace allot
