// A command line whose unknown flags keep their values: --num_generations 16 becomes
// --num_generations=16, so that CLI11 does not take the 16 for the configuration file.
#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace allot {

// The arguments after the program's name, in order. A flag that the command does not know takes the
// next argument as its value, unless that is a flag, too, or names a YAML file: a flag without a
// value, such as --log_completions, may stand before the configuration.
std::vector<std::string> joined_flags(const CLI::App& app, int argc, const char* const* argv);

}  // namespace allot
