// allot train.
#include <memory>

#include <fmt/format.h>

#include "allot/app/dry_run.h"
#include "allot/app/run_console.h"
#include "allot/app/train.h"
#include "allot/cli/commands.h"
#include "allot/cli/run_arguments.h"
#include "allot/cli/signals.h"
#include "allot/cli/standard_error.h"
#include "allot/report/html.h"
#include "allot/report/table.h"

namespace allot {
namespace {

int show_plan(const RunArguments& arguments) {
  const DryRun run = dry_run(load_config(arguments.required_sources()));
  fmt::print("{}", arguments.json ? dry_run_json(run) + "\n" : dry_run_text(run));
  return 0;
}

int run_train(const RunArguments& arguments) {
  const RunConfig config = load_config(arguments.required_sources());
  StandardError terminal(arguments.quiet);
  RunConsole console(terminal);
  const auto start = starting_point(config, console, stop_requested());
  terminal.bar("");
  if (!start) return stopped(arguments);
  console.begin_run(
      fmt::format("{} on {}, seed {}", config.alloc.method, config.data.task, config.train.seed),
      static_cast<std::uint64_t>(config.train.max_steps), config.log.every);
  const TrainRequest request{config, arguments.given_text(), arguments.folder(config),
                             arguments.fresh};
  const TrainResult result = train(request, *start, {console, stop_requested()});
  terminal.bar("");
  if (result.was_finished)
    terminal.line(
        fmt::format("{} is finished already; --fresh starts a new run", result.folder.string()));
  if (result.status == RunStatus::Stopped) return kStoppedByHealth;
  if (result.status != RunStatus::Finished) return stopped(arguments);
  const std::vector<RunFolderPath> runs = {result.folder};
  const Comparison comparison = compare_runs(runs);
  const auto report = result.folder / "report.html";
  write_report(comparison, report);
  if (arguments.json)
    fmt::print("{}\n", compare_json(comparison));
  else
    fmt::print("\n{}\nreport: {}\n", terminal_table(comparison), report.string());
  return 0;
}

}  // namespace

void add_train(CLI::App& app, Action& chosen) {
  CLI::App* command = app.add_subcommand("train", "one run; continues where it stopped");
  auto arguments = std::make_shared<RunArguments>();
  arguments->add_to(*command);
  arguments->add_folder_options(*command);
  auto is_dry = std::make_shared<bool>(false);
  command->add_flag("--dry-run", *is_dry, "load everything and show the plan of step 0 only");
  command->callback([&chosen, arguments, is_dry] {
    chosen = [arguments, is_dry] {
      return *is_dry ? show_plan(*arguments) : run_train(*arguments);
    };
  });
}

}  // namespace allot
