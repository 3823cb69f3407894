// allot eval: pass@1, pass@k and avg@k of a checkpoint on the held-out prompts.
#include <memory>

#include <fmt/format.h>

#include "allot/app/evaluate_checkpoint.h"
#include "allot/app/run_console.h"
#include "allot/cli/commands.h"
#include "allot/cli/run_arguments.h"
#include "allot/cli/signals.h"
#include "allot/cli/standard_error.h"

namespace allot {
namespace {

int run_eval(const RunArguments& arguments, const std::string& checkpoint) {
  const RunConfig config = load_config(arguments.sources());
  StandardError terminal(arguments.quiet);
  RunConsole console(terminal);
  const CheckpointEvaluation evaluation =
      evaluate_checkpoint(config, checkpoint, console, stop_requested());
  terminal.bar("");
  if (!evaluation.result.complete) return kStoppedByUser;
  fmt::print("{}\n", arguments.json ? evaluation_json(evaluation) : evaluation_text(evaluation));
  return 0;
}

}  // namespace

void add_eval(CLI::App& app, Action& chosen) {
  CLI::App* command = app.add_subcommand("eval", "pass@1, pass@k, avg@k on held-out prompts");
  auto arguments = std::make_shared<RunArguments>();
  auto checkpoint = std::make_shared<std::string>();
  arguments->add_to(*command);
  command->add_option(
      "--checkpoint", *checkpoint,
      "checkpoint folder, or a run folder (its latest); without: the model that runs start from");
  command->callback([&chosen, arguments, checkpoint] {
    chosen = [arguments, checkpoint] { return run_eval(*arguments, *checkpoint); };
  });
}

}  // namespace allot
