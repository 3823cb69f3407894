// Strict reading of a JSON object of options: each is taken once, and what is left is unknown.
// Internal to lm/.
#pragma once

#include <algorithm>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "allot/core/error.h"

namespace allot::lm {

// `Json` is nlohmann's json; a header includes no outside library. All errors are Error(Model) at
// `where`, the file. Null counts as absent.
template <class Json>
class JsonReader {
 public:
  // Throws for a text that is no JSON object; `needed` says what it should have been.
  static JsonReader parsed(const std::string& text, const std::string& where, const char* needed) {
    JsonReader reader(Json::parse(text, nullptr, false), where);
    if (!reader.json_.is_object()) {
      reader.refuse(concat("is no JSON object; ", needed, " is needed"));
    }
    return reader;
  }
  JsonReader(Json json, const std::string& where) : json_(std::move(json)), where_(where) {}

  [[noreturn]] void refuse(const std::string& what, const std::string& hint = {}) const {
    throw Error(ErrorKind::Model, where_, what, hint);
  }
  const std::string& where() const { return where_; }

  bool has(const char* key) const { return json_.contains(key) && !json_.at(key).is_null(); }

  Json take(const char* key) {
    if (!json_.contains(key)) return nullptr;
    Json value = json_.at(key);
    json_.erase(key);
    return value;
  }
  void ignore(const char* key) { json_.erase(key); }

  // What is left.
  std::vector<std::string> keys() const {
    std::vector<std::string> out;
    for (const auto& [key, value] : json_.items()) out.push_back(key);
    return out;
  }
  const Json& at(const std::string& key) const { return json_.at(key); }

  int integer(const char* key) {
    const Json value = take(key);
    if (!value.is_number_integer() || value < 0 || value > std::numeric_limits<int>::max()) {
      refuse(concat("\"", key, "\" is ", value.dump(), "; an integer of at least 0 is needed"));
    }
    return value.template get<int>();
  }
  int integer_or(const char* key, int fallback) {
    return has(key) ? integer(key) : absent(key, fallback);
  }

  double number(const char* key) {
    const Json value = take(key);
    if (!value.is_number()) {
      refuse(concat("\"", key, "\" is ", value.dump(), "; a number is needed"));
    }
    return value.template get<double>();
  }
  double number_or(const char* key, double fallback) {
    return has(key) ? number(key) : absent(key, fallback);
  }

  bool flag_or(const char* key, bool fallback) {
    if (!has(key)) return absent(key, fallback);
    const Json value = take(key);
    if (!value.is_boolean()) {
      refuse(concat("\"", key, "\" is ", value.dump(), "; true or false is needed"));
    }
    return value.template get<bool>();
  }

  std::string text(const char* key) {
    const Json value = take(key);
    if (!value.is_string()) {
      refuse(concat("\"", key, "\" is ", value.dump(), "; a text is needed"));
    }
    return value.template get<std::string>();
  }

  // The option may be absent or have one of these values.
  void expect(const char* key, const std::vector<Json>& allowed) {
    if (!has(key)) return ignore(key);
    const Json value = take(key);
    if (std::find(allowed.begin(), allowed.end(), value) == allowed.end()) {
      refuse(concat("\"", key, "\": ", value.dump(), " is not supported; ", allowed[0].dump(),
                    " is needed"));
    }
  }

  void refuse_the_rest() const {
    if (!json_.empty()) refuse(concat("unknown option \"", json_.begin().key(), "\""));
  }

 private:
  template <class T>
  T absent(const char* key, T fallback) {
    json_.erase(key);
    return fallback;
  }

  Json json_;
  std::string where_;
};

}  // namespace allot::lm
