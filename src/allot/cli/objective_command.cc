// allot objective: advantages, loss and per-token gradient of given numbers, in double precision.
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "allot/app/objective_lines.h"
#include "allot/app/yaml_file.h"
#include "allot/cli/commands.h"
#include "allot/cli/run_arguments.h"

namespace allot {
namespace {

struct ObjectiveArguments {
  std::string file, preset;
  std::vector<std::string> sets;
  bool json = false;
};

int run_objective(const ObjectiveArguments& arguments) {
  std::vector<Setting> settings;
  if (!arguments.preset.empty()) settings.push_back({"loss.preset", arguments.preset, "--preset"});
  for (const std::string& text : arguments.sets) settings.push_back(parse_set(text));
  const std::string text = read_data_file(arguments.file);
  for (const std::string& line : objective_lines(text, arguments.file, settings))
    fmt::print("{}\n", line);
  return 0;
}

}  // namespace

void add_objective(CLI::App& app, Action& chosen) {
  CLI::App* command = app.add_subcommand(
      "objective", "advantages, loss and gradient of given log-probabilities and rewards");
  auto arguments = std::make_shared<ObjectiveArguments>();
  command
      ->add_option("file", arguments->file,
                   "JSON lines, a step each: logprobs, old_logprobs, rewards, group_index, ..., "
                   "preset, options; the output is JSON lines")
      ->required();
  command->add_option("--preset", arguments->preset, "for lines without one; default dapo");
  command->add_option("--set", arguments->sets, "key=value of loss.* or adv.*, repeatable");
  command->add_flag("--json", arguments->json, "JSON, which the output is anyway");
  command->callback(
      [&chosen, arguments] { chosen = [arguments] { return run_objective(*arguments); }; });
}

}  // namespace allot
