// allot ledger: what a run knows of every prompt.
#include <memory>

#include <fmt/format.h>

#include "allot/cli/commands.h"
#include "allot/core/durable_file.h"
#include "allot/report/ledger.h"

namespace allot {
namespace {

struct LedgerArguments {
  std::string run, csv;
  LedgerFilter filter;
  std::uint64_t least_verdicts = kLeastVerdicts;
  std::size_t limit = 40;
  bool json = false;
};

int run_ledger(const LedgerArguments& arguments) {
  const LedgerFilter& filter = arguments.filter;
  const RunLedger ledger = ledger_of_run(arguments.run, arguments.least_verdicts);
  if (!arguments.csv.empty()) replace_file(arguments.csv, ledger_csv(ledger, filter));
  if (arguments.json)
    fmt::print("{}\n", ledger_json(ledger, filter));
  else
    fmt::print("{}", ledger_text(ledger, filter, arguments.limit));
  return 0;
}

}  // namespace

void add_ledger(CLI::App& app, Action& chosen) {
  CLI::App* command = app.add_subcommand(
      "ledger", "what a run knows of each prompt: dead, mixed, solved, unseen, with its history");
  auto arguments = std::make_shared<LedgerArguments>();
  command->add_option("run", arguments->run, "a run folder")->required();
  command->add_flag("--dead", arguments->filter.dead, "prompts answered wrong throughout lately");
  command->add_flag("--solved", arguments->filter.solved,
                    "prompts answered right throughout lately");
  command->add_flag("--mixed", arguments->filter.mixed, "prompts that are neither");
  command->add_flag("--unseen", arguments->filter.unseen, "prompts without a verdict");
  command->add_option("--key", arguments->filter.key, "one prompt, with its whole history");
  command
      ->add_option("--verdicts", arguments->least_verdicts,
                   fmt::format("equal first-round answers that make a prompt dead or solved; "
                               "default {}, as in the metrics ledger/*",
                               kLeastVerdicts))
      ->check(CLI::Range(1, 1000000));
  command->add_option("--limit", arguments->limit, "prompts listed on the terminal; default 40");
  command->add_option("--csv", arguments->csv, "also all of them as a CSV file");
  command->add_flag("--json", arguments->json, "one JSON object");
  command->callback(
      [&chosen, arguments] { chosen = [arguments] { return run_ledger(*arguments); }; });
}

}  // namespace allot
