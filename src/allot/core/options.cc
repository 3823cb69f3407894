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

bool parse_bool(const Option& option, std::string_view text) {
  const std::string_view body = trimmed(text);
  if (body == "true" || body == "yes" || body == "on") return true;
  if (body == "false" || body == "no" || body == "off") return false;
  refuse(option, text, "true or false");
}

// "[a, b]" or "a,b" -> its elements; "" and "[]" -> none. Quotes around an element are removed.
std::vector<std::string> split_list(std::string_view text) {
  std::string_view body = trimmed(text);
  if (body.size() >= 2 && body.front() == '[' && body.back() == ']')
    body = trimmed(body.substr(1, body.size() - 2));
  std::vector<std::string> parts;
  while (!body.empty()) {
    const std::size_t comma = std::min(body.find(','), body.size());
    std::string_view part = trimmed(body.substr(0, comma));
    if (part.size() >= 2 && part.front() == '"' && part.back() == '"')
      part = part.substr(1, part.size() - 2);
    parts.emplace_back(part);
    body.remove_prefix(std::min(comma + 1, body.size()));
  }
  return parts;
}

struct Setter {
  const Option& option;
  std::string_view text;

  void operator()(bool* value) const { *value = parse_bool(option, text); }
  void operator()(std::string* value) const { *value = std::string(text); }
  template <class T>
  void operator()(T* value) const {
    *value = parse_number<T>(option, text);
  }
  template <class T>
  void operator()(std::vector<T>* values) const {
    std::vector<T> parsed;
    for (const std::string& part : split_list(text)) {
      if constexpr (std::is_same_v<T, std::string>)
        parsed.push_back(part);
      else
        parsed.push_back(parse_number<T>(option, part));
    }
    *values = std::move(parsed);
  }
  void operator()(const Option::EnumSlot& slot) const {
    const std::string_view body = trimmed(text);
    const auto found = std::find(slot.names.begin(), slot.names.end(), body);
    if (found == slot.names.end()) refuse(option, text, concat("one of ", option.type()));
    slot.set(static_cast<std::size_t>(found - slot.names.begin()));
  }
};

ordered_json json_value(const Option& option) {
  return std::visit(
      [](const auto& slot) -> ordered_json {
        if constexpr (std::is_same_v<std::decay_t<decltype(slot)>, Option::EnumSlot>)
          return slot.names[slot.get()];
        else
          return *slot;
      },
      option.slot);
}

std::vector<std::string> path_of(const std::string& key) {
  std::vector<std::string> path;
  std::istringstream in(key);
  for (std::string part; std::getline(in, part, '.');) path.push_back(part);
  return path;
}

}  // namespace

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
      for (const std::string& name : slot.names) all += (all.empty() ? "" : " | ") + name;
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
    std::string type = option.type();
    for (std::size_t bar = 0; (bar = type.find('|', bar)) != std::string::npos; bar += 2)
      type.insert(bar, "\\");
    table += concat("| `", option.key, "` | ", type, " | `", option.default_text, "` | ",
                    numeric ? range_text(option.range) : "", " | ", option.help, " |\n");
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
  std::string out;
  std::vector<std::string> open;
  for (const Option& option : options_) {
    const std::vector<std::string> path = path_of(option.key);
    std::size_t shared = 0;
    while (shared < open.size() && shared + 1 < path.size() && open[shared] == path[shared])
      ++shared;
    open.resize(shared);
    for (std::size_t depth = shared; depth + 1 < path.size(); ++depth) {
      out += std::string(2 * depth, ' ') + path[depth] + ":\n";
      open.push_back(path[depth]);
    }
    out += std::string(2 * (path.size() - 1), ' ') + path.back() + ": " + option.text() + "\n";
  }
  return out;
}

void FieldVisitor::push(const char* name, Option::Slot slot, Range range, std::string help) {
  Option option;
  option.key = joined(name);
  option.slot = std::move(slot);
  option.range = range;
  option.help = std::move(help);
  option.default_text = option.text();
  out_.push_back(std::move(option));
}

}  // namespace allot
