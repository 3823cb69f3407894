#include "allot/app/compare_arms.h"

#include <set>

#include "allot/core/error.h"

namespace allot {
namespace {

struct GridEntry {
  std::string key;
  std::vector<std::string> values;
};

GridEntry parsed(const std::string& text) {
  const std::size_t equals = text.find('=');
  GridEntry entry;
  if (equals != std::string::npos && equals > 0) {
    entry.key = text.substr(0, equals);
    std::size_t from = equals + 1;
    for (std::size_t bar; (bar = text.find('|', from)) != std::string::npos; from = bar + 1)
      entry.values.push_back(text.substr(from, bar - from));
    entry.values.push_back(text.substr(from));
  }
  for (const std::string& value : entry.values)
    if (value.empty()) entry.key.clear();
  if (entry.key.empty())
    throw Error(ErrorKind::Config, "compare.grid",
                concat("'", text, "' was given; key=value|value is needed"),
                "for example alloc.group_size=4|8");
  return entry;
}

// The last part of the key and the value, fit for a folder's name.
std::string name_part(const std::string& key, const std::string& value) {
  std::string part = concat("-", key.substr(key.rfind('.') + 1), "=", value);
  for (char& letter : part) {
    const bool plain = (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'z') ||
                       (letter >= 'A' && letter <= 'Z') || std::string("-_.=+").find(letter) < 5;
    if (!plain) letter = '_';
  }
  return part;
}

}  // namespace

std::vector<CompareArm> compare_arms(const RunConfig& base) {
  std::vector<GridEntry> grid;
  std::size_t combinations = 1;
  for (const std::string& text : base.compare.grid) {
    grid.push_back(parsed(text));
    combinations *= grid.back().values.size();
    if (combinations * base.compare.methods.size() > kMostArms)
      throw Error(ErrorKind::Config, "compare.grid",
                  concat("more than ", kMostArms, " combinations were given; fewer are needed"));
  }
  std::vector<CompareArm> arms;
  std::set<std::string> names;
  for (const std::string& method : base.compare.methods)
    for (std::size_t c = 0; c < combinations; ++c) {
      CompareArm arm{method, base};
      std::size_t rest = c, stride = combinations;
      for (const GridEntry& entry : grid) {
        stride /= entry.values.size();
        const std::string& value = entry.values[rest / stride];
        rest %= stride;
        arm.config.compare.settings.push_back(concat(method, ":", entry.key, "=", value));
        arm.name += name_part(entry.key, value);
      }
      arm.config = config_of_method(arm.config, method);
      // What a run records of the comparison it is part of does not depend on the other arms.
      arm.config.compare = {};
      arm.config.compare.methods = {method};
      arm.config.validate();
      if (!names.insert(arm.name).second)
        throw Error(ErrorKind::Config, "compare",
                    concat("two arms would be named '", arm.name, "'; each needs its own name"),
                    "name every method once, and no two grid keys with the same last part");
      arms.push_back(std::move(arm));
    }
  return arms;
}

}  // namespace allot
