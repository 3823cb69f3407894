// allot eval: pass@1, pass@k and avg@k of a checkpoint on the held-out prompts.
#include <memory>
#include <optional>
#include <string>

#include <fmt/format.h>

#include "allot/app/evaluate_checkpoint.h"
#include "allot/app/run_console.h"
#include "allot/app/sample_file.h"
#include "allot/cli/commands.h"
#include "allot/cli/run_arguments.h"
#include "allot/cli/signals.h"
#include "allot/cli/standard_error.h"

namespace allot {
namespace {

struct EvalArguments {
  RunArguments run;
  std::string checkpoint, samples;
  bool only_sets = false;
};

int run_eval(const EvalArguments& arguments) {
  const RunConfig config = load_config(arguments.run.required_sources());
  StandardError terminal(arguments.run.quiet);
  RunConsole console(terminal);
  std::optional<SampleFile> samples;
  SampleSink sink;
  if (!arguments.samples.empty()) {
    samples.emplace(arguments.samples);
    sink = [&](const std::string& set, const Prompt& prompt, const Rollout& rollout,
               std::span<const Score> scores) { samples->add(set, prompt, rollout, scores); };
  }
  const CheckpointEvaluation evaluation =
      evaluate_checkpoint(config, arguments.checkpoint, console, stop_requested(), sink,
                          arguments.only_sets ? EvaluatedSets::WithoutTest : EvaluatedSets::All);
  terminal.bar("");
  if (samples) samples->close();
  if (!evaluation.complete()) return kStoppedByUser;
  fmt::print("{}\n",
             arguments.run.json ? evaluation_json(evaluation) : evaluation_text(evaluation));
  return 0;
}

}  // namespace

void add_eval(CLI::App& app, Action& chosen) {
  CLI::App* command = app.add_subcommand("eval", "pass@1, pass@k, avg@k on held-out prompts");
  auto arguments = std::make_shared<EvalArguments>();
  arguments->run.add_to(*command);
  command->add_option(
      "--checkpoint", arguments->checkpoint,
      "checkpoint folder, or a run folder (its latest); without: the model that runs start from");
  command->add_flag("--only_sets", arguments->only_sets,
                    "the files of eval.sets alone, without the held-out prompts of the task");
  command->add_option("--samples", arguments->samples,
                      "file for the responses and their verdicts, JSON lines");
  command->callback(
      [&chosen, arguments] { chosen = [arguments] { return run_eval(*arguments); }; });
}

}  // namespace allot
