// Filters, tests and methods of chat templates: those that the templates of the Qwen, Llama and
// ChatML families use, as Jinja and Python define them.
#include <algorithm>
#include <array>

#include "allot/text/chat/tree.h"

namespace allot::chat {
namespace {

// What Python's strip() and split() take for white space.
constexpr std::array<std::string_view, 29> kSpaces = {
    " ",      "\t",     "\n",     "\r",     "\v",     "\f",     "\x1c",   "\x1d",
    "\x1e",   "\x1f",   "\u0085", "\u00a0", "\u1680", "\u2000", "\u2001", "\u2002",
    "\u2003", "\u2004", "\u2005", "\u2006", "\u2007", "\u2008", "\u2009", "\u200a",
    "\u2028", "\u2029", "\u202f", "\u205f", "\u3000"};

const std::string& text_of(const Value& value, std::string_view who) {
  if (value.text() == nullptr) fail(who, " was given ", value.kind(), "; text is needed");
  return *value.text();
}

// The argument at `place` or of that name; `otherwise` where it is not given.
Value argument(const Arguments& arguments, std::size_t place, std::string_view name,
               const Value& otherwise) {
  if (place < arguments.positional.size()) return arguments.positional[place];
  const Value* named = find(arguments.named, name);
  return named == nullptr ? otherwise : *named;
}

// At most `positional` arguments, and named ones only of these names.
void only(const Arguments& arguments, std::string_view who, std::size_t positional,
          std::initializer_list<std::string_view> names = {}) {
  if (arguments.positional.size() > positional)
    fail(who, " was given ", arguments.positional.size(), " arguments");
  for (const auto& [name, unused] : arguments.named)
    if (std::find(names.begin(), names.end(), name) == names.end())
      fail(who, " has no argument '", name, "'");
}

// Bytes of the member of `set` at the front or the end of `text`; 0: none is there.
template <class Set>
std::size_t front_of(std::string_view text, const Set& set) {
  for (const std::string_view one : set)
    if (text.starts_with(one)) return one.size();
  return 0;
}
template <class Set>
std::size_t end_of(std::string_view text, const Set& set) {
  for (const std::string_view one : set)
    if (text.ends_with(one)) return one.size();
  return 0;
}

enum class Ends { Both, Left, Right };

template <class Set>
std::string stripped_of(std::string_view text, const Set& set, Ends ends) {
  while (ends != Ends::Right && front_of(text, set) > 0) text.remove_prefix(front_of(text, set));
  while (ends != Ends::Left && end_of(text, set) > 0) text.remove_suffix(end_of(text, set));
  return std::string(text);
}

Value stripped(const std::string& text, const Arguments& arguments, Ends ends) {
  only(arguments, "strip", 1, {"chars"});
  const Value set = argument(arguments, 0, "chars", None{});
  if (set.is_none()) return stripped_of(text, kSpaces, ends);
  return stripped_of(text, characters(text_of(set, "strip")), ends);
}

std::string cased(std::string text, char first, char last, int shift) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) >= 0x80) fail("upper and lower know ASCII characters only");
    if (c >= first && c <= last) c = static_cast<char>(c + shift);
  }
  return text;
}
std::string upper(const std::string& text) { return cased(text, 'a', 'z', 'A' - 'a'); }
std::string lower(const std::string& text) { return cased(text, 'A', 'Z', 'a' - 'A'); }

std::string replaced(const std::string& text, const std::string& from, const std::string& to) {
  if (from.empty()) fail("replace was given an empty text");
  std::string out;
  std::size_t at = 0;
  for (std::size_t found; (found = text.find(from, at)) != std::string::npos;
       at = found + from.size()) {
    out += text.substr(at, found - at) + to;
    if (out.size() > Run::kLongest) fail("a text has more than ", Run::kLongest, " bytes");
  }
  return out + text.substr(at);
}

List split(const std::string& text, const Value& separator) {
  List parts;
  if (separator.is_none()) {
    std::string word;
    for (const std::string& one : characters(text)) {
      if (front_of(one, kSpaces) == 0) {
        word += one;
      } else if (!word.empty()) {
        parts.emplace_back(std::exchange(word, ""));
      }
    }
    if (!word.empty()) parts.emplace_back(std::move(word));
    return parts;
  }
  const std::string& by = text_of(separator, "split");
  if (by.empty()) fail("split was given an empty text");
  std::size_t at = 0;
  for (std::size_t found; (found = text.find(by, at)) != std::string::npos; at = found + by.size())
    parts.emplace_back(text.substr(at, found - at));
  parts.emplace_back(text.substr(at));
  return parts;
}

List items(const Value& value) {
  if (value.is_undefined()) return {};
  if (value.fields() == nullptr) fail("items was given ", value.kind(), "; a mapping is needed");
  List all;
  for (const auto& [name, field] : *value.fields()) all.emplace_back(List{name, field});
  return all;
}

// Those elements for which the named test gives `wanted`; without a name, their truth.
Value selected(const Value& value, const Arguments& arguments, bool wanted) {
  List kept;
  Arguments rest;
  Test test = nullptr;
  if (!arguments.positional.empty()) {
    test = find_test(text_of(arguments.positional[0], "select"));
    if (test == nullptr) fail("there is no test ", *arguments.positional[0].text());
    rest.positional.assign(arguments.positional.begin() + 1, arguments.positional.end());
  }
  for (const Value& one : elements(value))
    if ((test == nullptr ? one.truth() : test(one, rest)) == wanted) kept.push_back(one);
  return kept;
}

// The same by an attribute of each element.
Value selected_by(const Value& value, const Arguments& arguments, bool wanted) {
  if (arguments.positional.empty()) fail("selectattr needs the name of an attribute");
  const std::string& name = text_of(arguments.positional[0], "selectattr");
  Arguments rest;
  rest.positional.assign(arguments.positional.begin() + 1, arguments.positional.end());
  List kept;
  for (const Value& one : elements(value)) {
    const Value found = item(one, name);
    if (selected(List{found}, rest, wanted).truth()) kept.push_back(one);
  }
  return kept;
}

Value mapped(const Value& value, const Arguments& arguments) {
  only(arguments, "map", 1, {"attribute"});
  const Value* name = find(arguments.named, "attribute");
  List all;
  for (const Value& one : elements(value)) {
    if (name != nullptr) {
      all.push_back(item(one, *name));
      continue;
    }
    if (arguments.positional.empty()) fail("map needs the name of a filter or an attribute");
    const Filter filter = find_filter(text_of(arguments.positional[0], "map"));
    if (filter == nullptr) fail("there is no filter ", *arguments.positional[0].text());
    all.push_back(filter(one, {}));
  }
  return all;
}

Value joined(const Value& value, const Arguments& arguments) {
  only(arguments, "join", 1, {"d"});
  const std::string by = to_text(argument(arguments, 0, "d", ""));
  std::string out;
  bool first = true;
  for (const Value& one : elements(value)) {
    if (!first) out += by;
    first = false;
    out += to_text(one);
    if (out.size() > Run::kLongest) fail("a text has more than ", Run::kLongest, " bytes");
  }
  return out;
}

Value json_filter(const Value& value, const Arguments& arguments) {
  only(arguments, "tojson", 1, {"indent", "ensure_ascii"});
  const Value ascii = argument(arguments, 1, "ensure_ascii", false);
  if (ascii.truth()) fail("tojson with ensure_ascii is not supported");
  const Value indent = argument(arguments, 0, "indent", None{});
  if (indent.is_none()) return to_json(value, -1);
  const auto* number = indent.get<std::int64_t>();
  if (number == nullptr || *number < 0 || *number > 64) fail("indent of tojson is no small number");
  return to_json(value, static_cast<int>(*number));
}

Value default_filter(const Value& value, const Arguments& arguments) {
  only(arguments, "default", 2, {"default_value", "boolean"});
  const bool by_truth = argument(arguments, 1, "boolean", false).truth();
  if (value.is_undefined() || (by_truth && !value.truth()))
    return argument(arguments, 0, "default_value", "");
  return value;
}

template <class T>
struct Named {
  std::string_view name;
  T call;
};

Value length_filter(const Value& v, const Arguments&) { return length(v); }

constexpr std::array kFilters = {
    Named<Filter>{"length", length_filter},
    Named<Filter>{"count", length_filter},
    Named<Filter>{"trim",
                  [](const Value& v, const Arguments& a) -> Value {
                    return stripped(to_text(v), a, Ends::Both);
                  }},
    Named<Filter>{"tojson", json_filter},
    Named<Filter>{"default", default_filter},
    Named<Filter>{"d", default_filter},
    Named<Filter>{"join", joined},
    Named<Filter>{"items", [](const Value& v, const Arguments&) -> Value { return items(v); }},
    Named<Filter>{"list", [](const Value& v, const Arguments&) -> Value { return elements(v); }},
    Named<Filter>{"first",
                  [](const Value& v, const Arguments&) -> Value {
                    return item(elements(v), std::int64_t{0});
                  }},
    Named<Filter>{"last",
                  [](const Value& v, const Arguments&) -> Value {
                    return item(elements(v), std::int64_t{-1});
                  }},
    Named<Filter>{"string", [](const Value& v, const Arguments&) -> Value { return to_text(v); }},
    Named<Filter>{"safe", [](const Value& v, const Arguments&) -> Value { return to_text(v); }},
    Named<Filter>{"upper",
                  [](const Value& v, const Arguments&) -> Value { return upper(to_text(v)); }},
    Named<Filter>{"lower",
                  [](const Value& v, const Arguments&) -> Value { return lower(to_text(v)); }},
    Named<Filter>{"replace",
                  [](const Value& v, const Arguments& a) -> Value {
                    only(a, "replace", 2);
                    return replaced(to_text(v), text_of(argument(a, 0, "", None{}), "replace"),
                                    text_of(argument(a, 1, "", None{}), "replace"));
                  }},
    Named<Filter>{"select",
                  [](const Value& v, const Arguments& a) { return selected(v, a, true); }},
    Named<Filter>{"reject",
                  [](const Value& v, const Arguments& a) { return selected(v, a, false); }},
    Named<Filter>{"selectattr",
                  [](const Value& v, const Arguments& a) { return selected_by(v, a, true); }},
    Named<Filter>{"rejectattr",
                  [](const Value& v, const Arguments& a) { return selected_by(v, a, false); }},
    Named<Filter>{"map", mapped},
};

bool equal_test(const Value& v, const Arguments& a) {
  if (a.positional.size() != 1) fail("equalto needs one value");
  return equal(v, a.positional[0]);
}
bool is_number(const Value& v) {
  return v.get<std::int64_t>() != nullptr || v.get<double>() != nullptr || v.get<bool>() != nullptr;
}
bool is_sequence(const Value& v) {
  return v.list() != nullptr || v.text() != nullptr || v.fields() != nullptr;
}

constexpr std::array kTests = {
    Named<Test>{"defined", [](const Value& v, const Arguments&) { return !v.is_undefined(); }},
    Named<Test>{"undefined", [](const Value& v, const Arguments&) { return v.is_undefined(); }},
    Named<Test>{"none", [](const Value& v, const Arguments&) { return v.is_none(); }},
    Named<Test>{"string", [](const Value& v, const Arguments&) { return v.text() != nullptr; }},
    Named<Test>{"mapping", [](const Value& v, const Arguments&) { return v.fields() != nullptr; }},
    Named<Test>{"sequence", [](const Value& v,
                               const Arguments&) { return is_sequence(v) || v.is_undefined(); }},
    Named<Test>{"iterable", [](const Value& v,
                               const Arguments&) { return is_sequence(v) || v.is_undefined(); }},
    Named<Test>{"number", [](const Value& v, const Arguments&) { return is_number(v); }},
    Named<Test>{"integer",
                [](const Value& v, const Arguments&) { return v.get<std::int64_t>() != nullptr; }},
    Named<Test>{"boolean",
                [](const Value& v, const Arguments&) { return v.get<bool>() != nullptr; }},
    Named<Test>{"true",
                [](const Value& v, const Arguments&) {
                  return v.get<bool>() != nullptr && *v.get<bool>();
                }},
    Named<Test>{"false",
                [](const Value& v, const Arguments&) {
                  return v.get<bool>() != nullptr && !*v.get<bool>();
                }},
    Named<Test>{"equalto", equal_test},
    Named<Test>{"eq", equal_test},
    Named<Test>{"ne", [](const Value& v, const Arguments& a) { return !equal_test(v, a); }},
    Named<Test>{"in",
                [](const Value& v, const Arguments& a) {
                  if (a.positional.size() != 1) fail("in needs one value");
                  return contains(a.positional[0], v);
                }},
    Named<Test>{"odd",
                [](const Value& v, const Arguments&) {
                  return equal(binary("%", v, std::int64_t{2}), std::int64_t{1});
                }},
    Named<Test>{"even",
                [](const Value& v, const Arguments&) {
                  return equal(binary("%", v, std::int64_t{2}), std::int64_t{0});
                }},
};

template <class Table>
auto found_in(const Table& table, std::string_view name) -> decltype(table[0].call) {
  const auto found =
      std::find_if(table.begin(), table.end(), [&](const auto& row) { return row.name == name; });
  return found == table.end() ? nullptr : found->call;
}

// The one or several texts that startswith() and endswith() accept.
template <class Holds>
bool any_text(const Arguments& arguments, std::string_view who, const Holds& holds) {
  only(arguments, who, 1);
  const Value given = argument(arguments, 0, "", None{});
  if (given.list() == nullptr) return holds(text_of(given, who));
  return std::any_of(given.list()->begin(), given.list()->end(),
                     [&](const Value& one) { return holds(text_of(one, who)); });
}

using Method = Value (*)(const Value& self, const Arguments& arguments);

constexpr std::array kTextMethods = {
    Named<Method>{"startswith",
                  [](const Value& s, const Arguments& a) -> Value {
                    return any_text(a, "startswith",
                                    [&](const std::string& t) { return s.text()->starts_with(t); });
                  }},
    Named<Method>{"endswith",
                  [](const Value& s, const Arguments& a) -> Value {
                    return any_text(a, "endswith",
                                    [&](const std::string& t) { return s.text()->ends_with(t); });
                  }},
    Named<Method>{"strip",
                  [](const Value& s, const Arguments& a) -> Value {
                    return stripped(*s.text(), a, Ends::Both);
                  }},
    Named<Method>{"lstrip",
                  [](const Value& s, const Arguments& a) -> Value {
                    return stripped(*s.text(), a, Ends::Left);
                  }},
    Named<Method>{"rstrip",
                  [](const Value& s, const Arguments& a) -> Value {
                    return stripped(*s.text(), a, Ends::Right);
                  }},
    Named<Method>{"split",
                  [](const Value& s, const Arguments& a) -> Value {
                    only(a, "split", 1, {"sep"});
                    return split(*s.text(), argument(a, 0, "sep", None{}));
                  }},
    Named<Method>{"replace",
                  [](const Value& s, const Arguments& a) -> Value {
                    only(a, "replace", 2);
                    return replaced(*s.text(), text_of(argument(a, 0, "", None{}), "replace"),
                                    text_of(argument(a, 1, "", None{}), "replace"));
                  }},
    Named<Method>{"upper",
                  [](const Value& s, const Arguments&) -> Value { return upper(*s.text()); }},
    Named<Method>{"lower",
                  [](const Value& s, const Arguments&) -> Value { return lower(*s.text()); }},
};

constexpr std::array kMappingMethods = {
    Named<Method>{"items", [](const Value& s, const Arguments&) -> Value { return items(s); }},
    Named<Method>{"keys", [](const Value& s, const Arguments&) -> Value { return elements(s); }},
    Named<Method>{"values",
                  [](const Value& s, const Arguments&) -> Value {
                    List all;
                    for (const auto& [unused, field] : *s.fields()) all.push_back(field);
                    return all;
                  }},
    Named<Method>{"get",
                  [](const Value& s, const Arguments& a) -> Value {
                    only(a, "get", 2);
                    const Value* found =
                        find(*s.fields(), text_of(argument(a, 0, "", None{}), "get"));
                    return found == nullptr ? argument(a, 1, "", None{}) : *found;
                  }},
};

}  // namespace

Filter find_filter(std::string_view name) { return found_in(kFilters, name); }
Test find_test(std::string_view name) { return found_in(kTests, name); }

bool is_method(std::string_view name) {
  return found_in(kTextMethods, name) != nullptr || found_in(kMappingMethods, name) != nullptr;
}

Value find_method(const Value& value, std::string_view name) {
  Method method = nullptr;
  if (value.text() != nullptr) method = found_in(kTextMethods, name);
  if (value.fields() != nullptr) method = found_in(kMappingMethods, name);
  if (method == nullptr) return Undefined{std::string(name)};
  return Function{[value, method](const Arguments& arguments) { return method(value, arguments); }};
}

}  // namespace allot::chat
