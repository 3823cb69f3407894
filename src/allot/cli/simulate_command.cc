// allot simulate: methods compared without a language model.
#include <memory>

#include <fmt/format.h>

#include "allot/app/simulate.h"
#include "allot/cli/commands.h"
#include "allot/cli/run_arguments.h"
#include "allot/cli/standard_error.h"

namespace allot {
namespace {

struct SimulateArguments {
  std::vector<Setting> keyed;  // flags of the command, in the order given
  std::vector<std::string> sets;
  std::string output = "runs/simulate";
  bool json = false, markdown = false, quiet = false;
};

SimulateRequest request_of(const SimulateArguments& arguments) {
  SimulateRequest request;
  request.alloc.group_size = 16;
  OptionList list = OptionList::of(request.options, "simulate");
  list.add(request.alloc, "alloc");
  list.add(request.adv, "adv");
  for (const std::string& text : arguments.sets) {
    const Setting setting = parse_set(text);
    list.set(setting.key, setting.text, setting.origin);
  }
  for (const Setting& setting : arguments.keyed)
    list.set(setting.key, setting.text, setting.origin);
  request.folder = arguments.output;
  return request;
}

void print_pool(const SimulatedPool& pool, const SimulateArguments& arguments, double budget) {
  const TextTable table = simulation_table(pool, budget);
  fmt::print("\n{} pool\n\n{}\nreport: {}\n", name(pool.pool),
             arguments.markdown ? markdown(table) : plain_text(table), pool.report.string());
}

int run_simulate(const SimulateArguments& arguments) {
  const SimulateRequest request = request_of(arguments);
  StandardError terminal(arguments.quiet);
  const SimulateResult result =
      simulate(request, [&](const std::string& what) { terminal.bar(what); });
  terminal.bar("");
  for (const auto& [method, reason] : result.left_out)
    terminal.line(fmt::format("{} is left out: {}", method, reason));
  if (arguments.json) {
    fmt::print("{}\n", simulation_json(result, request.options));
    return 0;
  }
  for (const SimulatedPool& pool : result.pools)
    print_pool(pool, arguments, request.options.budget);
  fmt::print(
      "\ncompute to GRPO's: until the held-out accuracy that GRPO ends with, over the whole "
      "budget; "
      "1 = not reached.\n");
  if (request.options.tune == SimulateTuning::None)
    fmt::print("All methods ran with lr {}; --tune margin tunes each by itself.\n",
               request.options.lr);
  return 0;
}

}  // namespace

void add_simulate(CLI::App& app, Action& chosen) {
  CLI::App* command = app.add_subcommand(
      "simulate", "methods compared in a world without a language model; table and report");
  auto arguments = std::make_shared<SimulateArguments>();
  const auto key = [&](const std::string& flag, const std::string& name, const std::string& help) {
    command->add_option_function<std::string>(
        flag,
        [arguments, flag, name](const std::string& text) {
          arguments->keyed.push_back({"simulate." + name, text, flag});
        },
        help);
  };
  key("--methods", "methods", "methods compared with grpo; default: all");
  key("--pool", "pools", "bimodal | hard | uniform | solved | heavy | dead | all, or several");
  key("--lengths", "lengths", "default | equal | split: lengths of answers");
  key("--seeds", "seeds", "worlds per method (20)");
  key("--prompts_per_step", "prompts_per_step", "groups wanted in one update (64)");
  key("--lr", "lr", "learning rate of all methods (0.25)");
  key("--tune", "tune", "none | best | margin: tune each method's learning rate on other worlds");
  key("--budget", "budget", "compute of a run in responses of mean length (256000)");
  key("--threads", "threads", "runs at the same time (2)");
  command->add_option("--set", arguments->sets,
                      "key=value of simulate.*, alloc.* (group_size is 16 here) and adv.*");
  command->add_option("--output", arguments->output, "folder of report.html and compare.json");
  command->add_flag("--json", arguments->json, "one JSON object on standard output");
  command->add_flag("--markdown", arguments->markdown, "the tables as Markdown");
  command->add_flag("--quiet", arguments->quiet, "no progress; warnings and results only");
  command->callback(
      [&chosen, arguments] { chosen = [arguments] { return run_simulate(*arguments); }; });
}

}  // namespace allot
