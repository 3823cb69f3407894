#include "allot/cli/run_arguments.h"

#include <cstdio>

#include <fmt/format.h>

#include "allot/cli/commands.h"
#include "allot/core/error.h"

namespace allot {
Setting parse_set(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0)
    throw Error(ErrorKind::Config, "--set", concat("'", text, "' was given; key=value is needed"),
                "for example --set alloc.group_size=16");
  return {text.substr(0, equals), text.substr(equals + 1), "--set"};
}

void RunArguments::add_to(CLI::App& command) {
  command_ = &command;
  command.add_option("config", config_, "configuration, YAML or JSON; flags may do without one");
  command.add_option("--config", more_, "further configuration files; later ones win");
  command.add_option("--set", sets_, "key=value; wins over files, repeatable");
  command.add_flag("--json", json, "one JSON object on standard output");
  command.add_flag("--quiet", quiet, "no progress; warnings and results only");
  command.allow_extras();
  command.footer(
      "Any configuration key is a flag too (--alloc.group_size 16), and so are TRL's\n"
      "names (--num_generations 16). `allot config CONFIG` prints all keys.");
}

void RunArguments::add_folder_options(CLI::App& command) {
  command.add_option("--name", name_, "name of the run folder; default: the file's stem");
  command.add_flag("--fresh", fresh, "start anew beside an earlier run of this name");
}

void RunArguments::add_key_option(CLI::App& command, const std::string& flag,
                                  const std::string& key, const std::string& help) {
  command.add_option_function<std::string>(
      flag,
      [this, flag, key](const std::string& text) {
        keyed_.push_back({key, text, flag});
      },
      help);
}

void RunArguments::add_list_option(CLI::App& command, const std::string& flag,
                                   const std::string& key, const std::string& help) {
  command.add_option_function<std::vector<std::string>>(
      flag,
      [this, flag, key](const std::vector<std::string>& entries) {
        std::string list;
        for (const std::string& entry : entries)
          list += concat(list.empty() ? "" : ", ", "\"", entry, "\"");
        keyed_.push_back({key, concat("[", list, "]"), flag});
      },
      help);
}

std::vector<Setting> RunArguments::flags() const {
  std::vector<Setting> settings;
  for (const std::string& text : sets_) settings.push_back(parse_set(text));
  const std::vector<std::string> extras = command_->remaining();
  for (const std::string& flag : extras) {  // their values are joined to them
    if (!flag.starts_with("--") || flag.size() < 3)
      throw Error(ErrorKind::Config, "command line", concat("'", flag, "' was not expected here"),
                  concat("allot ", command_->get_name(), " --help shows what is"));
    const std::size_t equals = flag.find('=');
    if (equals != std::string::npos) {
      settings.push_back(
          {flag.substr(2, equals - 2), flag.substr(equals + 1), flag.substr(0, equals)});
    } else {
      settings.push_back({flag.substr(2), "true", flag});
    }
  }
  settings.insert(settings.end(), keyed_.begin(), keyed_.end());
  return settings;
}

ConfigSources RunArguments::sources() const {
  ConfigSources sources;
  if (!config_.empty()) sources.files.push_back(config_);
  sources.files.insert(sources.files.end(), more_.begin(), more_.end());
  sources.flags = flags();
  return sources;
}

ConfigSources RunArguments::required_sources() const {
  ConfigSources all = sources();
  if (all.files.empty() && all.flags.empty())
    throw Error(ErrorKind::Config, "command line",
                "no configuration was given; a file or flags are needed",
                concat("allot ", command_->get_name(), " examples/quickstart.yaml"));
  return all;
}

std::string RunArguments::given_text() const {
  const ConfigSources all = sources();
  std::string text;
  for (const std::string& file : all.files)
    text += (all.files.size() > 1 ? "# " + file + "\n" : "") + read_config_file(file);
  for (const Setting& flag : all.flags)
    text += concat("# ", flag.origin, " ", flag.key, "=", flag.text, "\n");
  return text;
}

std::filesystem::path RunArguments::folder(const RunConfig& config) const {
  const std::string name = name_.empty() ? run_name(sources(), "run") : name_;
  if (name.find('/') != std::string::npos || name == "." || name == "..")
    throw Error(ErrorKind::Config, "--name",
                concat("'", name, "' was given; a plain folder name is needed"),
                "train.output sets the folder above it");
  return std::filesystem::path(config.train.output) / name;
}

int stopped(const RunArguments& arguments) {
  if (!arguments.quiet) fmt::print(stderr, "stopped; the same command continues from here\n");
  return kStoppedByUser;
}

}  // namespace allot
