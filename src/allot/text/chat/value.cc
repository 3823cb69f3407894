#include "allot/text/chat/value.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>

#include "allot/core/utf8.h"

namespace allot::chat {
namespace {

constexpr int kDeepest = 64;  // of lists and mappings within each other
constexpr std::size_t kLongestJson = 1 << 20;
constexpr int kComparisons = 1'000'000;  // of parts, for one answer

std::optional<double> number(const Value& value) {
  if (const bool* truth = value.get<bool>()) return *truth ? 1 : 0;
  if (const std::int64_t* whole = value.get<std::int64_t>()) return static_cast<double>(*whole);
  if (const double* real = value.get<double>()) return *real;
  return std::nullopt;
}

// The shortest spelling that reads as the same number, with ".0" where it would look whole.
std::string real_text(double real) {
  if (std::isnan(real)) return "nan";
  if (std::isinf(real)) return real < 0 ? "-inf" : "inf";
  std::array<char, 32> buffer{};
  const bool plain = real == 0 || (std::fabs(real) >= 1e-4 && std::fabs(real) < 1e16);
  const auto [end, problem] =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), real,
                    plain ? std::chars_format::fixed : std::chars_format::scientific);
  std::string text(buffer.data(), end);
  if (plain && text.find('.') == std::string::npos) text += ".0";
  return text;
}

std::string json_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    constexpr std::string_view kEscaped = "\"\\\n\r\t\b\f", kLetters = "\"\\nrtbf";
    const std::size_t at = kEscaped.find(c);
    constexpr const char* kHex = "0123456789abcdef";
    if (at != std::string_view::npos)
      (out += '\\') += kLetters[at];
    else if (static_cast<unsigned char>(c) < 0x20)
      out += concat("\\u00", c >> 4, kHex[c & 15]);
    else
      out += c;
  }
  return out + "\"";
}

void write_json(const Value& value, int indent, int depth, std::string& out) {
  if (depth > kDeepest) fail("a value is more than ", kDeepest, " levels deep");
  if (out.size() > kLongestJson) fail("a value has more than ", kLongestJson, " bytes as JSON");
  const auto line = [&](int level) {
    if (indent >= 0) out += "\n" + std::string(static_cast<std::size_t>(indent * level), ' ');
  };
  const char* comma = indent >= 0 ? "," : ", ";
  if (value.is_none()) {
    out += "null";
  } else if (const bool* truth = value.get<bool>()) {
    out += *truth ? "true" : "false";
  } else if (value.get<std::int64_t>() != nullptr || value.get<double>() != nullptr) {
    out += to_text(value);
  } else if (const std::string* text = value.text()) {
    out += json_text(*text);
  } else if (const List* list = value.list()) {
    out += '[';
    for (std::size_t i = 0; i < list->size(); ++i) {
      if (i > 0) out += comma;
      line(depth + 1);
      write_json((*list)[i], indent, depth + 1, out);
    }
    if (!list->empty()) line(depth);
    out += ']';
  } else if (const Fields* fields = value.fields()) {
    out += '{';
    for (std::size_t i = 0; i < fields->size(); ++i) {
      if (i > 0) out += comma;
      line(depth + 1);
      out += json_text((*fields)[i].first) + ": ";
      write_json((*fields)[i].second, indent, depth + 1, out);
    }
    if (!fields->empty()) line(depth);
    out += '}';
  } else {
    fail(value.kind(), " cannot be written as JSON");
  }
}

// `left`: comparisons that may still be made.
bool equal_at(const Value& a, const Value& b, int depth, int& left) {
  if (--left < 0) fail("a comparison has more than ", kComparisons, " parts");
  if (depth > kDeepest) fail("a value is more than ", kDeepest, " levels deep");
  const auto x = number(a), y = number(b);
  if (x || y) return x && y && *x == *y;
  if (a.text() != nullptr) return b.text() != nullptr && *a.text() == *b.text();
  if (a.is_none() || b.is_none()) return a.is_none() && b.is_none();
  if (a.is_undefined() || b.is_undefined()) return a.is_undefined() && b.is_undefined();
  if (a.list() != nullptr)
    return b.list() != nullptr && std::equal(a.list()->begin(), a.list()->end(), b.list()->begin(),
                                             b.list()->end(), [&](const Value& u, const Value& v) {
                                               return equal_at(u, v, depth + 1, left);
                                             });
  if (a.fields() == nullptr || b.fields() == nullptr || a.fields()->size() != b.fields()->size())
    return false;
  return std::all_of(a.fields()->begin(), a.fields()->end(), [&](const auto& field) {
    const Value* other = find(*b.fields(), field.first);
    return other != nullptr && equal_at(field.second, *other, depth + 1, left);
  });
}

}  // namespace

const Value* find(const Fields& fields, std::string_view name) {
  const auto found = std::find_if(fields.begin(), fields.end(),
                                  [&](const auto& field) { return field.first == name; });
  return found == fields.end() ? nullptr : &found->second;
}

bool Value::truth() const {
  if (const auto x = number(*this)) return *x != 0;
  if (text() != nullptr) return !text()->empty();
  if (list() != nullptr) return !list()->empty();
  if (fields() != nullptr) return !fields()->empty();
  return !is_none() && !is_undefined();
}

std::string Value::kind() const {
  if (const Undefined* undefined = get<Undefined>())
    return undefined->name.empty() ? "an undefined value"
                                   : concat("'", undefined->name, "', which is undefined");
  if (is_none()) return "none";
  if (get<bool>() != nullptr) return "true or false";
  if (number(*this)) return "a number";
  if (text() != nullptr) return "text";
  if (list() != nullptr) return "a list";
  if (fields() != nullptr) return "a mapping";
  return function() != nullptr ? "a function" : "a namespace";
}

bool equal(const Value& a, const Value& b) {
  int left = kComparisons;
  return equal_at(a, b, 0, left);
}

int compare(const Value& a, const Value& b) {
  const auto x = number(a), y = number(b);
  if (x && y) return *x < *y ? -1 : *x > *y ? 1 : 0;
  if (a.text() != nullptr && b.text() != nullptr) return a.text()->compare(*b.text());
  fail(a.kind(), " and ", b.kind(), " have no order");
}

bool contains(const Value& container, const Value& item) {
  if (const std::string* text = container.text()) {
    if (item.text() == nullptr) fail("text cannot hold ", item.kind());
    return text->find(*item.text()) != std::string::npos;
  }
  if (const Fields* fields = container.fields())
    return item.text() != nullptr && find(*fields, *item.text()) != nullptr;
  const List all = elements(container);
  return std::any_of(all.begin(), all.end(), [&](const Value& one) { return equal(one, item); });
}

std::vector<std::string> characters(std::string_view text) {
  std::vector<std::string> all;
  while (!text.empty()) {
    const std::size_t size = std::max<std::size_t>(1, utf8_length(text));
    all.emplace_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  return all;
}

std::int64_t length(const Value& value) {
  if (value.list() != nullptr) return static_cast<std::int64_t>(value.list()->size());
  if (value.fields() != nullptr) return static_cast<std::int64_t>(value.fields()->size());
  if (value.is_undefined()) return 0;
  if (value.text() == nullptr) fail(value.kind(), " has no length");
  return static_cast<std::int64_t>(character_count(*value.text()));
}

List elements(const Value& value) {
  if (value.list() != nullptr) return *value.list();
  List all;
  if (const Fields* fields = value.fields()) {
    for (const auto& [name, unused] : *fields) all.emplace_back(name);
  } else if (const std::string* text = value.text()) {
    for (std::string& one : characters(*text)) all.emplace_back(std::move(one));
  } else if (!value.is_undefined()) {
    fail(value.kind(), " has no elements");
  }
  return all;
}

std::string to_text(const Value& value) {
  if (value.is_undefined()) return "";
  if (value.is_none()) return "None";
  if (const bool* truth = value.get<bool>()) return *truth ? "True" : "False";
  if (const std::int64_t* whole = value.get<std::int64_t>()) return std::to_string(*whole);
  if (const double* real = value.get<double>()) return real_text(*real);
  if (value.text() != nullptr) return *value.text();
  fail(value.kind(), " was to be written as text; tojson does that for lists and mappings");
}

std::string to_json(const Value& value, int indent) {
  std::string out;
  write_json(value, indent, 0, out);
  return out;
}

}  // namespace allot::chat
