// What every command that takes a configuration has in common.
//
//   [CONFIG] [--config more.yaml] [--set key=value] [--TRL_name value] [--name N] [--fresh]
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "allot/app/config.h"

namespace allot {

// "key=value" of --set. Throws Error(Config).
Setting parse_set(const std::string& text);

class RunArguments {
 public:
  // Adds the options to `command`, which must live as long as this.
  void add_to(CLI::App& command);
  void add_folder_options(CLI::App& command);  // --name, --fresh
  // A flag of the command that sets a configuration key and wins over --set.
  void add_key_option(CLI::App& command, const std::string& flag, const std::string& key,
                      const std::string& help);
  // The same for a list: every use of the flag adds an entry.
  void add_list_option(CLI::App& command, const std::string& flag, const std::string& key,
                       const std::string& help);

  // After parsing. Long flags that the command does not know are configuration keys or their
  // aliases; anything else throws Error(Config).
  ConfigSources sources() const;
  ConfigSources required_sources() const;  // Error(Config) where there is neither file nor flag
  std::string given_text() const;          // of all files, for config.yaml

  // runs/NAME: --name, else the stem of the configuration file.
  std::filesystem::path folder(const RunConfig& config) const;

  bool json = false, quiet = false, fresh = false;

 private:
  std::vector<Setting> flags() const;

  CLI::App* command_ = nullptr;
  std::string config_;
  std::vector<std::string> more_, sets_;
  std::vector<Setting> keyed_;  // from add_key_option, in the order given
  std::string name_;
};

// Says so, unless quiet. Returns kStoppedByUser.
int stopped(const RunArguments& arguments);

}  // namespace allot
