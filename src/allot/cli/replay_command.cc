// allot replay: the decisions of a method on logged or hand-written outcomes.
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "allot/app/replay.h"
#include "allot/app/yaml_file.h"
#include "allot/cli/commands.h"
#include "allot/cli/run_arguments.h"

namespace allot {
namespace {

struct ReplayArguments {
  std::string file, method;
  std::vector<std::string> sets;
  std::uint64_t seed = 0;
  bool json = false;  // the output is JSON lines either way
};

int run_replay(const ReplayArguments& arguments) {
  ReplayOptions options;
  OptionList list = OptionList::of(options);
  if (!arguments.method.empty()) list.set("alloc.method", arguments.method, "--method");
  for (const std::string& text : arguments.sets) {
    const Setting setting = parse_set(text);
    list.set(setting.key, setting.text, setting.origin);
  }
  const std::string text = read_data_file(arguments.file);
  for (const std::string& line : replay(text, arguments.file, options, arguments.seed))
    fmt::print("{}\n", line);
  return 0;
}

}  // namespace

void add_replay(CLI::App& app, Action& chosen) {
  CLI::App* command = app.add_subcommand(
      "replay", "the decisions of a method on logged or hand-written outcomes, as JSON lines");
  auto arguments = std::make_shared<ReplayArguments>();
  command->add_option("file", arguments->file, "JSON lines: {\"prompt\", \"step\", \"outcomes\"}")
      ->required();
  command->add_option("--method", arguments->method, "allocation method")->required();
  command->add_option("--set", arguments->sets, "key=value of alloc.* and adv.*, repeatable");
  command->add_option("--seed", arguments->seed, "of the method's random choices");
  command->add_flag("--json", arguments->json, "accepted for symmetry; the output is JSON lines");
  command->callback(
      [&chosen, arguments] { chosen = [arguments] { return run_replay(*arguments); }; });
}

}  // namespace allot
