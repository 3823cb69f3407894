// The program `allot`: parsing and printing only.
#include <cstdio>
#include <exception>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "allot/cli/commands.h"
#include "allot/core/error.h"

int main(int argc, char** argv) {
  CLI::App app{
      "allot decides how the rollouts of RL post-training are spent: which prompts, how many "
      "each,\n"
      "when to stop, what to train on."};
  app.name("allot");
  app.require_subcommand(1);
  app.set_version_flag("--version", ALLOT_VERSION);
  app.footer(
      "Exit codes: 0 done; 2 configuration; 3 data; 4 model or checkpoint; 6 stopped by the user\n"
      "after a clean checkpoint; 70 internal error.\n"
      "Start: allot compare examples/quickstart.yaml");
  allot::Action chosen;
  for (const auto add :
       {allot::add_train, allot::add_compare, allot::add_eval, allot::add_report, allot::add_replay,
        allot::add_methods, allot::add_config, allot::add_doctor})
    add(app, chosen);
  try {
    app.parse(argc, argv);
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
