#include "allot/core/options.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <sstream>

#include <nlohmann/json.hpp>

#include "allot/core/error.h"

namespace allot {
namespace {

using nlohmann::ordered_json;

std::string_view trimmed(std::string_view text) {
  const auto is_space = [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

// Shortest text that reads back as the same double; integers without a point.
std::string number_text(double value) { return ordered_json(value).dump(); }

std::string range_end(double value) {
  return value == std::floor(value) && std::abs(value) < 1e15
             ? std::to_string(static_cast<long long>(value))
             : number_text(value);
}

std::string range_text(const Range& range) {
  const bool low = std::isfinite(range.low), high = std::isfinite(range.high);
  if (low && high) return concat(range_end(range.low), " .. ", range_end(range.high));
  if (low) return concat(">= ", range_end(range.low));
  if (high) return concat("<= ", range_end(range.high));
  return "any";
}

[[noreturn]] void refuse(const Option& option, std::string_view text, std::string_view needed) {
  throw Error(ErrorKind::Config, option.key,
              concat("'", text, "' was given; ", needed, " is needed"), option.help);
}

template <class T>
T parse_number(const Option& option, std::string_view text) {
  const std::string_view body = trimmed(text);
  T value{};
  const auto [end, status] = std::from_chars(body.data(), body.data() + body.size(), value);
  const bool whole = status == std::errc() && end == body.data() + body.size() && !body.empty();
  if (!whole) refuse(option, text, std::is_integral_v<T> ? "a whole number" : "a number");
  const double wide = static_cast<double>(value);
  if (!std::isfinite(wide) || wide < option.range.low || wide > option.range.high)
    refuse(option, text, concat("a value in the range ", range_text(option.range)));
  return value;
}

// JSON and YAML can only hold UTF-8.
std::string valid_text(const Option& option, std::string_view text) {
  try {
    (void)ordered_json(text).dump();
  } catch (const ordered_json::exception&) {
    throw Error(ErrorKind::Config, option.key,
                "bytes that are not UTF-8 were given; text is needed");
  }
  return std::string(text);
}

bool parse_bool(const Option& option, std::string_view text) {
  const std::string_view body = trimmed(text);
  if (body == "true" || body == "yes" || body == "on") return true;
  if (body == "false" || body == "no" || body == "off") return false;
  refuse(option, text, "true or false");
}

// "[a, b]" or "a,b" -> its elements; "" and "[]" -> none. A JSON list may quote its elements; only
// there may one be empty or contain a comma or a bracket.
std::vector<std::string> split_list(const Option& option, std::string_view text) {
  std::string_view body = trimmed(text);
  std::vector<std::string> parts;
  const ordered_json json = ordered_json::parse(body, nullptr, false);
  if (json.is_array()) {
    for (const ordered_json& part : json)
      parts.push_back(part.is_string() ? part.get<std::string>() : part.dump());
    return parts;
  }
  if (body.size() >= 2 && body.front() == '[' && body.back() == ']')
    body = trimmed(body.substr(1, body.size() - 2));
  while (!body.empty()) {
    const std::size_t comma = body.find(',');
    const std::string_view part = trimmed(body.substr(0, comma));
    if (part.empty() || part.find_first_of("[]{}\"") != part.npos || comma + 1 == body.size())
      refuse(option, text, "a list like [a, b]");
    parts.emplace_back(part);
    body = comma == body.npos ? std::string_view{} : body.substr(comma + 1);
  }
  return parts;
}

struct Setter {
  const Option& option;
  std::string_view text;

  void operator()(bool* value) const { *value = parse_bool(option, text); }
  void operator()(std::string* value) const { *value = valid_text(option, text); }
  template <class T>
  void operator()(T* value) const {
    *value = parse_number<T>(option, text);
  }
  template <class T>
  void operator()(std::vector<T>* values) const {
    std::vector<T> parsed;
    for (const std::string& part : split_list(option, text)) {
      if constexpr (std::is_same_v<T, std::string>)
        parsed.push_back(valid_text(option, part));
      else
        parsed.push_back(parse_number<T>(option, part));
    }
    *values = std::move(parsed);
  }
  void operator()(const Option::EnumSlot& slot) const {
    const std::string_view body = trimmed(text);
    const auto found = std::find_if(slot.choices.begin(), slot.choices.end(),
                                    [&](const Choice& choice) { return choice.name == body; });
    if (found == slot.choices.end()) refuse(option, text, concat("one of ", option.type()));
    slot.write(slot.value, found->value);
  }
};

ordered_json json_value(const Option& option) {
  return std::visit(
      [](const auto& slot) -> ordered_json {
        if constexpr (std::is_same_v<std::decay_t<decltype(slot)>, Option::EnumSlot>)
          return slot.name();
        else
          return *slot;
      },
      option.slot);
}

std::string table_cell(std::string text) {
  for (std::size_t bar = 0; (bar = text.find('|', bar)) != std::string::npos; bar += 2)
    text.insert(bar, "\\");
  return text;
}

void write_yaml(const ordered_json& node, std::size_t depth, std::string& out) {
  for (const auto& [key, value] : node.items()) {
    out += std::string(2 * depth, ' ') + key + ":";
    if (value.is_object()) {
      out += "\n";
      write_yaml(value, depth + 1, out);
    } else {
      out += " " + value.dump() + "\n";
    }
  }
}

}  // namespace

const char* Option::EnumSlot::name() const {
  const int now = read(value);
  const auto found = std::find_if(choices.begin(), choices.end(),
                                  [&](const Choice& choice) { return choice.value == now; });
  if (found == choices.end())
    throw Error(ErrorKind::Internal, "options",
                concat("value ", now, " of an enum has no name among ", choices.size()));
  return found->name;
}

std::string Option::type() const {
  struct Name {
    std::string operator()(bool*) const { return "bool"; }
    std::string operator()(int*) const { return "int"; }
    std::string operator()(std::uint64_t*) const { return "int"; }
    std::string operator()(double*) const { return "float"; }
    std::string operator()(std::string*) const { return "text"; }
    std::string operator()(std::vector<int>*) const { return "list of int"; }
    std::string operator()(std::vector<double>*) const { return "list of float"; }
    std::string operator()(std::vector<std::string>*) const { return "list of text"; }
    std::string operator()(const EnumSlot& slot) const {
      std::string all;
      for (const Choice& choice : slot.choices)
        all += concat(all.empty() ? "" : " | ", choice.name);
      return all;
    }
  };
  return std::visit(Name{}, slot);
}

std::string Option::text() const { return json_value(*this).dump(); }

std::string Option::plain_text() const {
  const ordered_json value = json_value(*this);
  return value.is_string() ? value.get<std::string>() : value.dump();
}

const Option* OptionList::find(std::string_view key) const {
  const auto found = std::find_if(options_.begin(), options_.end(),
                                  [&](const Option& option) { return option.key == key; });
  return found == options_.end() ? nullptr : &*found;
}

void OptionList::set(std::string_view key, std::string_view text, std::string_view origin) {
  const auto found = std::find_if(options_.begin(), options_.end(),
                                  [&](const Option& option) { return option.key == key; });
  if (found == options_.end()) {
    std::vector<std::string> keys;
    for (const Option& option : options_) keys.push_back(option.key);
    const std::string near = nearest(key, keys);
    throw Error(
        ErrorKind::Config, origin, concat("unknown key '", key, "'"),
        near.empty() ? "allot config prints all keys" : concat("did you mean '", near, "'?"));
  }
  std::visit(Setter{*found, text}, found->slot);
  found->origin = std::string(origin);
}

std::string OptionList::docs_table() const {
  std::string table = "| key | type | default | range | meaning |\n|---|---|---|---|---|\n";
  for (const Option& option : options_) {
    const bool numeric = std::isfinite(option.range.low) || std::isfinite(option.range.high);
    table +=
        concat("| `", option.key, "` | ", table_cell(option.type()), " | `",
               table_cell(option.default_text), "` | ", numeric ? range_text(option.range) : "",
               " | ", table_cell(option.help), " |\n");
  }
  return table;
}

std::string OptionList::json() const {
  ordered_json all = ordered_json::array();
  for (const Option& option : options_) {
    ordered_json row = {{"key", option.key},
                        {"type", option.type()},
                        {"default", ordered_json::parse(option.default_text)},
                        {"value", json_value(option)},
                        {"help", option.help}};
    if (std::isfinite(option.range.low) || std::isfinite(option.range.high))
      row["range"] = range_text(option.range);
    all.push_back(std::move(row));
  }
  return all.dump();
}

std::string OptionList::yaml() const {
  ordered_json tree = ordered_json::object();
  for (const Option& option : options_) {
    ordered_json* node = &tree;
    std::istringstream path(option.key);
    for (std::string part; std::getline(path, part, '.');) node = &(*node)[part];
    *node = json_value(option);
  }
  std::string out;
  write_yaml(tree, 0, out);
  return out;
}

FieldVisitor::FieldVisitor(std::vector<Option>& out, std::string prefix)
    : out_(out), prefix_(std::move(prefix)) {}

void FieldVisitor::operator()(const char* name, int& value, Range range, std::string_view help) {
  push(name, &value, range, help);
}
void FieldVisitor::operator()(const char* name, std::uint64_t& value, Range range,
                              std::string_view help) {
  push(name, &value, range, help);
}
void FieldVisitor::operator()(const char* name, double& value, Range range, std::string_view help) {
  push(name, &value, range, help);
}
void FieldVisitor::operator()(const char* name, std::vector<int>& value, Range range,
                              std::string_view help) {
  push(name, &value, range, help);
}
void FieldVisitor::operator()(const char* name, std::vector<double>& value, Range range,
                              std::string_view help) {
  push(name, &value, range, help);
}
void FieldVisitor::operator()(const char* name, bool& value, std::string_view help) {
  push(name, &value, {}, help);
}
void FieldVisitor::operator()(const char* name, std::string& value, std::string_view help) {
  push(name, &value, {}, help);
}
void FieldVisitor::operator()(const char* name, std::vector<std::string>& value,
                              std::string_view help) {
  push(name, &value, {}, help);
}

std::string FieldVisitor::joined(const char* name) const {
  return prefix_.empty() ? name : prefix_ + "." + name;
}

void FieldVisitor::push(const char* name, Option::Slot slot, Range range, std::string_view help) {
  Option option;
  option.key = joined(name);
  for (const Option& other : out_)
    if (other.key == option.key)
      throw Error(ErrorKind::Internal, "options",
                  concat("key '", option.key, "' is declared twice"));
  option.slot = std::move(slot);
  option.range = range;
  option.help = help;
  option.default_text = option.text();
  out_.push_back(std::move(option));
}

}  // namespace allot
