#include "allot/cli/joined_flags.h"

namespace allot {
namespace {

bool is_flag(const std::string& argument) { return argument.starts_with("--"); }

bool is_yaml(const std::string& argument) {
  return argument.ends_with(".yaml") || argument.ends_with(".yml");
}

const CLI::App* command_of(const CLI::App& app, const std::string& name) {
  for (const CLI::App* command : app.get_subcommands({}))
    if (command->get_name() == name) return command;
  return nullptr;
}

}  // namespace

std::vector<std::string> joined_flags(const CLI::App& app, int argc, const char* const* argv) {
  std::vector<std::string> given(argv + (argc > 0 ? 1 : 0), argv + argc), out;
  const CLI::App* command = given.empty() ? nullptr : command_of(app, given.front());
  if (command == nullptr || !command->get_allow_extras()) return given;
  for (std::size_t i = 0; i < given.size(); ++i) {
    const std::string& argument = given[i];
    const bool takes_value =
        is_flag(argument) && argument.size() > 2 && argument.find('=') == std::string::npos &&
        command->get_option_no_throw(argument) == nullptr && i + 1 < given.size() &&
        !is_flag(given[i + 1]) && !is_yaml(given[i + 1]);
    if (takes_value)
      out.push_back(argument + "=" + given[++i]);
    else
      out.push_back(argument);
  }
  return out;
}

}  // namespace allot
