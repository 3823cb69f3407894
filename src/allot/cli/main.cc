// The program `allot`: parsing and printing only.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "allot/cli/commands.h"
#include "allot/cli/joined_flags.h"
#include "allot/core/error.h"

namespace {

// CLI11 would only say that some command is required.
void refuse_unknown_command(const CLI::App& app, int argc, char** argv) {
  if (argc < 2 || argv[1][0] == '-') return;
  const std::string given = argv[1];
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands({})) names.push_back(command->get_name());
  if (std::find(names.begin(), names.end(), given) != names.end()) return;
  const std::string near = allot::nearest(given, names);
  throw allot::Error(allot::ErrorKind::Config, "command line",
                     allot::concat("unknown command '", given, "'"),
                     near.empty() ? "allot --help lists the commands"
                                  : allot::concat("did you mean '", near, "'?"));
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{
      "allot decides how the rollouts of RL post-training are spent: which prompts, how many "
      "each,\n"
      "when to stop, what to train on."};
  app.name("allot");
  app.require_subcommand(1);
  app.set_version_flag("--version", ALLOT_VERSION);
  app.footer(
      "Exit codes: 0 done; 2 configuration; 3 data; 4 model or checkpoint; 5 external sampler;\n"
      "6 stopped by the user after a clean checkpoint; 7 stopped by a health rule; 70 internal\n"
      "error.\n"
      "Start: allot compare examples/quickstart.yaml");
  allot::Action chosen;
  for (const auto add : {allot::add_train, allot::add_compare, allot::add_simulate, allot::add_eval,
                         allot::add_report, allot::add_ledger, allot::add_replay, allot::add_verify,
                         allot::add_objective, allot::add_tokenize, allot::add_data,
                         allot::add_methods, allot::add_config, allot::add_doctor})
    add(app, chosen);
  try {
    refuse_unknown_command(app, argc, argv);
    std::vector<std::string> arguments = allot::joined_flags(app, argc, argv);
    std::reverse(arguments.begin(), arguments.end());  // as CLI11 wants them
    app.parse(arguments);
    return chosen();
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : static_cast<int>(allot::ErrorKind::Config);
  } catch (const allot::Error& error) {
    fmt::print(stderr, "allot: {}\n", error.what());
    return error.exit_code();
  } catch (const std::exception& error) {
    fmt::print(stderr, "allot: [internal] {}\n", error.what());
    return static_cast<int>(allot::ErrorKind::Internal);
  }
}
