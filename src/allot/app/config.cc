#include "allot/app/config.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <sstream>

#include <nlohmann/json.hpp>

#include "allot/app/aliases.h"
#include "allot/app/objective_setup.h"
#include "allot/core/error.h"

namespace allot {
namespace {

[[noreturn]] void refuse_unknown(const OptionList& list, const Setting& setting) {
  std::string hint = foreign_name_hint(setting.key);
  if (hint.empty()) {
    std::vector<std::string> names = alias_names();
    for (const Option& option : list.all()) names.push_back(option.key);
    const std::string near = nearest(setting.key, names);
    if (!near.empty()) hint = concat("did you mean '", near, "'?");
    if (const auto target = alias_target(near)) hint += concat(" (", *target, ")");
  }
  throw Error(ErrorKind::Config, setting.origin, concat("unknown key '", setting.key, "'"), hint);
}

// The settings of one file or command line, which must not contradict each other.
class Level {
 public:
  explicit Level(OptionList& list) : list_(list) {}

  // Follows an alias. `name`: what the user calls it.
  void apply(const Setting& setting, const std::string& name) {
    const Setting ours = translated(setting);
    if (!list_.find(ours.key)) refuse_unknown(list_, setting);
    const auto earlier = given_.find(ours.key);
    const bool contradicts = earlier != given_.end() && earlier->second.name != name &&
                             earlier->second.text != ours.text;
    if (contradicts)
      throw Error(ErrorKind::Config, setting.origin,
                  concat("'", name, "' = ", setting.text, " and '", earlier->second.name,
                         "' = ", earlier->second.text,
                         " are two names of one setting; one value is needed"));
    list_.set(ours.key, ours.text, ours.origin);
    given_[ours.key] = {name, ours.text};
  }

 private:
  struct Given {
    std::string name, text;  // as it was called, with the value of our key
  };
  OptionList& list_;
  std::map<std::string, Given> given_;  // by our key
};

void apply_settings(OptionList& list, const std::vector<Setting>& settings) {
  Level level(list);
  std::vector<Setting> batch;
  for (const Setting& setting : settings) {
    if (is_batch_setting(setting.key))
      batch.push_back(setting);
    else if (!is_part_setting(setting.key))
      level.apply(setting, setting.key);
  }
  for (const Setting& setting : implied_settings(settings))
    if (list.find(setting.key)->origin.empty()) list.set(setting.key, setting.text, setting.origin);
  const int group = std::stoi(list.find("alloc.group_size")->text());
  for (const Setting& setting : batch_settings(batch, group))
    level.apply(setting, batch.back().key);
}

// What nobody set follows from what was: a file of prompts is a task of its own, and a published
// model is not warmed up on demonstrations unless that is asked for.
void follow(OptionList& list) {
  const auto set_unless_given = [&](const char* key, const char* value, const char* because) {
    const Option* cause = list.find(because);
    if (!cause->origin.empty() && !cause->plain_text().empty() && list.find(key)->origin.empty())
      list.set(key, value, because);
  };
  set_unless_given("data.task", "jsonl", "data.train");
  set_unless_given("warm_start.steps", "0", "model.path");
}

void apply_all(OptionList& list, const ConfigSources& sources) {
  for (const std::string& file : sources.files)
    apply_settings(list, parse_yaml(read_config_file(file), file));
  apply_settings(list, sources.flags);
  follow(list);
}

void validate_run(const RunConfig& config) {
  config.data.validate();
  config.reward.validate();
  config.alloc.validate();
  check_objective(config);
  config.optim.validate();
  config.model.validate();
  config.log.validate();
  config.sampler.validate();
  if (config.model.lora.r > 0 && config.warm_start.steps > 0)
    throw Error(
        ErrorKind::Config, "model.lora.r",
        concat(config.model.lora.r, " was given with warm_start.steps = ", config.warm_start.steps,
               "; an adapter belongs to the weights of model.path as they are"),
        "warm_start.steps: 0");
  if (config.sampler.model != SamplerModel::Trained && !config.model.path.empty())
    throw Error(ErrorKind::Config, "rollout.model",
                "a built-in shape was given with model.path, whose tokens are others; a trained "
                "model of a built-in shape is needed",
                "rollout.refresh_every samples from a stale copy of any model");
  (void)config.eval.files();
  for (const int k : config.eval.k)
    if (k > config.eval.group_size)
      throw Error(ErrorKind::Config, "eval.k",
                  concat(k, " was given; at most eval.group_size (", config.eval.group_size,
                         ") is needed"));
}

// "METHOD:key=value" of compare.settings.
struct MethodSetting {
  std::string method;
  Setting setting;
};
MethodSetting parse_method_setting(const std::string& text) {
  const std::size_t colon = text.find(':'), equals = text.find('=');
  if (colon == std::string::npos || equals == std::string::npos || colon == 0 || equals < colon + 2)
    throw Error(ErrorKind::Config, "compare.settings",
                concat("'", text, "' was given; METHOD:key=value is needed"),
                "for example aero:optim.lr=1e-4");
  return {text.substr(0, colon),
          {text.substr(colon + 1, equals - colon - 1), text.substr(equals + 1), text}};
}

// What makes runs comparable, and what compare itself sets.
bool is_shared_by_all(const std::string& key) {
  for (const char* prefix : {"model.", "data.", "warm_start.", "eval.", "compare.", "train.max_"})
    if (key.starts_with(prefix)) return true;
  return key == "alloc.method" || key == "train.seed" || key == "train.output";
}

// One line per option, each with its comment; "" = none.
std::string commented_yaml(const OptionList& list,
                           const std::function<std::string(const Option&)>& comment_of) {
  std::istringstream in(list.yaml());
  std::string out;
  std::size_t next = 0;
  for (std::string line; std::getline(in, line);) {
    const std::string comment = line.ends_with(':') ? "" : comment_of(list.all().at(next++));
    out += line + (comment.empty() ? "" : "  # " + comment) + "\n";
  }
  return out;
}

}  // namespace

RunConfig config_of_method(const RunConfig& base, const std::string& method) {
  RunConfig config = base;
  config.alloc.method = method;
  std::vector<Setting> settings;
  for (const std::string& text : base.compare.settings) {
    MethodSetting one = parse_method_setting(text);
    const std::string key = alias_target(one.setting.key).value_or(one.setting.key);
    if (is_shared_by_all(key))
      throw Error(ErrorKind::Config, "compare.settings",
                  concat("'", text, "' was given; ", key, " is the same for all compared runs"),
                  "set it for all of them");
    if (one.method == method) settings.push_back(std::move(one.setting));
  }
  OptionList list = OptionList::of(config);
  apply_settings(list, settings);
  return config;
}

void RunConfig::validate() const {
  validate_run(*this);
  check_objective_of_method(*this);
  if (compare.methods.empty())
    throw Error(ErrorKind::Config, "compare.methods",
                "no method was given; one or more are needed");
  for (const std::string& method : compare.methods) validate_run(config_of_method(*this, method));
  for (const std::string& text : compare.settings) {
    const std::string method = parse_method_setting(text).method;
    const auto& all = compare.methods;
    if (std::find(all.begin(), all.end(), method) == all.end())
      throw Error(ErrorKind::Config, "compare.settings",
                  concat("'", text, "' was given; '", method, "' is not among compare.methods"));
  }
}

RunConfig load_config(const ConfigSources& sources) {
  RunConfig config;
  OptionList list = OptionList::of(config);
  apply_all(list, sources);
  config.validate();
  return config;
}

std::string expanded_yaml(const RunConfig& config) {
  RunConfig copy = config, in_force = config;
  in_force.loss = config.loss.expanded();
  const OptionList filled = OptionList::of(in_force);
  return commented_yaml(OptionList::of(copy), [&](const Option& option) {
    const std::string value = filled.find(option.key)->text();
    return value == option.text() ? "" : value;
  });
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
  return commented_yaml(list, [](const Option& option) { return option.origin; });
}

std::string ConfigDifference::text() const { return concat(key, ": ", before, " -> ", after); }

std::vector<ConfigDifference> config_differences(const RunConfig& before, const RunConfig& after) {
  RunConfig a = before, b = after;
  const OptionList old_list = OptionList::of(a), new_list = OptionList::of(b);
  std::vector<ConfigDifference> differences;
  for (std::size_t i = 0; i < old_list.all().size(); ++i) {
    const Option& x = old_list.all()[i];
    const Option& y = new_list.all()[i];
    if (x.text() != y.text()) differences.push_back({x.key, x.plain_text(), y.plain_text()});
  }
  return differences;
}

std::string differences_text(const std::vector<ConfigDifference>& differences) {
  if (differences.empty()) return "no differences\n";
  std::string text;
  for (const ConfigDifference& difference : differences) text += difference.text() + "\n";
  return text;
}

std::string differences_json(const std::vector<ConfigDifference>& differences) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const ConfigDifference& d : differences)
    rows.push_back({{"key", d.key}, {"before", d.before}, {"after", d.after}});
  return nlohmann::ordered_json{{"differences", rows}}.dump();
}

std::string config_file_of(const std::string& path) {
  const auto expanded = std::filesystem::path(path) / "config.expanded.yaml";
  return std::filesystem::is_regular_file(expanded) ? expanded.string() : path;
}

std::string run_name(const ConfigSources& sources, const std::string& fallback) {
  return sources.files.empty() ? fallback
                               : std::filesystem::path(sources.files.front()).stem().string();
}

}  // namespace allot
