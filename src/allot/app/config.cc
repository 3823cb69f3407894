#include "allot/app/config.h"

#include <filesystem>
#include <map>
#include <sstream>

#include "allot/app/aliases.h"
#include "allot/core/error.h"

namespace allot {
namespace {

// Follows an alias; refuses one that contradicts what was given for its target at the same level.
void apply_settings(OptionList& list, const std::vector<Setting>& settings) {
  std::map<std::string, Setting> given;  // by our key
  for (const Setting& setting : settings) {
    const std::optional<std::string> target = alias_target(setting.key);
    const std::string key = target.value_or(setting.key);
    if (!list.find(key)) {
      const std::string hint = foreign_name_hint(setting.key);
      if (!hint.empty())
        throw Error(ErrorKind::Config, setting.origin, concat("unknown key '", setting.key, "'"),
                    hint);
    }
    const auto earlier = given.find(key);
    const bool contradicts = earlier != given.end() && earlier->second.key != setting.key &&
                             earlier->second.text != setting.text;
    if (contradicts)
      throw Error(ErrorKind::Config, setting.origin,
                  concat("'", setting.key, "' = ", setting.text, " and '", earlier->second.key,
                         "' = ", earlier->second.text,
                         " are two names of one setting; one value is needed"));
    list.set(key, setting.text, setting.origin);
    given[key] = setting;
  }
}

void apply_all(OptionList& list, const ConfigSources& sources) {
  for (const std::string& file : sources.files)
    apply_settings(list, parse_yaml(read_config_file(file), file));
  apply_settings(list, sources.flags);
}

}  // namespace

void RunConfig::validate() const {
  data.validate();
  alloc.validate();
  adv.validate();
  loss.validate();
  optim.validate();
  model.validate();
  for (const int k : eval.k)
    if (k > eval.group_size)
      throw Error(
          ErrorKind::Config, "eval.k",
          concat(k, " was given; at most eval.group_size (", eval.group_size, ") is needed"));
  for (const std::string& method : compare.methods) {
    AllocOptions one = alloc;
    one.method = method;
    one.validate();
  }
  if (compare.methods.empty())
    throw Error(ErrorKind::Config, "compare.methods",
                "no method was given; one or more are needed");
}

RunConfig load_config(const ConfigSources& sources) {
  RunConfig config;
  OptionList list = OptionList::of(config);
  apply_all(list, sources);
  config.validate();
  return config;
}

std::string expanded_yaml(const RunConfig& config) {
  RunConfig copy = config;
  return OptionList::of(copy).yaml();
}

std::string config_json(const ConfigSources& sources) {
  RunConfig config = load_config(sources);
  return OptionList::of(config).json();
}

std::string annotated_yaml(const ConfigSources& sources) {
  RunConfig config;
  OptionList list = OptionList::of(config);
  apply_all(list, sources);
  config.validate();
  std::vector<std::string> origins;
  for (const Option& option : list.all()) origins.push_back(option.origin);
  std::istringstream in(list.yaml());
  std::string out;
  std::size_t next = 0;
  for (std::string line; std::getline(in, line);) {
    const bool is_section = line.ends_with(':');
    const std::string origin = is_section ? "" : origins.at(next++);
    out += line + (origin.empty() ? "" : "  # " + origin) + "\n";
  }
  return out;
}

std::vector<std::string> config_differences(const RunConfig& before, const RunConfig& after) {
  RunConfig a = before, b = after;
  const OptionList old_list = OptionList::of(a), new_list = OptionList::of(b);
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < old_list.all().size(); ++i) {
    const Option& x = old_list.all()[i];
    const Option& y = new_list.all()[i];
    if (x.text() != y.text())
      lines.push_back(concat(x.key, ": ", x.plain_text(), " -> ", y.plain_text()));
  }
  return lines;
}

std::string run_name(const ConfigSources& sources, const std::string& fallback) {
  return sources.files.empty() ? fallback
                               : std::filesystem::path(sources.files.front()).stem().string();
}

}  // namespace allot
