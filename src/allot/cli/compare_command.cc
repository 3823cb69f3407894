// allot compare: the seeds one after the other, or each in a process of its own.
#include <memory>
#include <optional>
#include <thread>

#include <fmt/format.h>

#include "allot/app/compare.h"
#include "allot/app/run_console.h"
#include "allot/cli/commands.h"
#include "allot/cli/run_arguments.h"
#include "allot/cli/seed_processes.h"
#include "allot/cli/signals.h"
#include "allot/cli/standard_error.h"
#include "allot/core/durable_file.h"
#include "allot/report/table.h"

namespace allot {
namespace {

struct CompareArguments {
  RunArguments run;
  std::string csv, markdown;
  // Of the process of one seed; not for people.
  std::optional<std::uint64_t> only_seed;
  std::string into;
  pid_t parent = 0;
};

class CompareProgram {
 public:
  explicit CompareProgram(const CompareArguments& arguments)
      : a_(arguments),
        config_(load_config(arguments.run.required_sources())),
        terminal_(arguments.run.quiet),
        console_(terminal_) {
    compare_arms(config_);  // refuses what cannot be compared before anything is done
    request_ = {config_, a_.run.given_text(), folder()};
  }

  int run() {
    if (a_.only_seed) end_with_parent(a_.parent);
    const auto start = starting_point(config_, console_, stop_requested());
    terminal_.bar("");
    if (!start) return stopped(a_.run);
    if (a_.only_seed) return run_seeds({*a_.only_seed}, *start) ? 0 : kStoppedByUser;
    const std::vector<std::uint64_t> seeds = compared_seeds(config_);
    const int at_once = compared_at_once(config_, std::thread::hardware_concurrency());
    if (at_once > 1) {
      const SeedProcesses processes{request_.folder, at_once, terminal_, stop_requested()};
      const int code = processes.run(seeds);
      if (code == kStoppedByUser) return stopped(a_.run);
      if (code != 0) return code;
    } else if (!run_seeds(seeds, *start)) {
      return stopped(a_.run);
    }
    return finish();
  }

 private:
  std::filesystem::path folder() const {
    if (a_.only_seed) return a_.into;
    const auto named = a_.run.folder(config_);
    return a_.run.fresh ? make_fresh_folder(named) : named;
  }

  bool run_seeds(const std::vector<std::uint64_t>& seeds, const StartingPoint& start) {
    for (const std::uint64_t seed : seeds) {
      const bool whole = compare_seed(request_, seed, start, {console_, stop_requested()},
                                      [&](const std::string& name, std::uint64_t steps) {
                                        terminal_.bar("");
                                        console_.begin_run(name, steps, config_.log.every);
                                      });
      terminal_.bar("");
      if (!whole) return false;
    }
    return true;
  }

  int finish() const {
    const CompareResult result = finish_comparison(request_);
    if (!a_.csv.empty()) replace_file(a_.csv, comparison_csv(result.comparison));
    if (!a_.markdown.empty()) replace_file(a_.markdown, markdown_tables(result.comparison));
    if (a_.run.json)
      fmt::print("{}\n", compare_json(result.comparison));
    else
      fmt::print("\n{}\nreport: {}\n", terminal_table(result.comparison), result.report.string());
    return 0;
  }

  const CompareArguments& a_;
  const RunConfig config_;
  StandardError terminal_;
  RunConsole console_;
  CompareRequest request_;
};

}  // namespace

void add_compare(CLI::App& app, Action& chosen) {
  CLI::App* command = app.add_subcommand(
      "compare", "several methods on the same prompts, model and budget; table and report");
  auto arguments = std::make_shared<CompareArguments>();
  RunArguments& run = arguments->run;
  run.add_to(*command);
  run.add_folder_options(*command);
  run.add_key_option(*command, "--methods", "compare.methods",
                     "methods, the first sets the budget: grpo,dapo,aero");
  run.add_key_option(*command, "--seeds", "compare.seeds", "runs per method");
  run.add_key_option(*command, "--equal", "compare.equal",
                     "compute | generated | rollouts | seconds | steps");
  run.add_key_option(*command, "--processes", "compare.processes",
                     "seeds at the same time; 0 = as the processors allow");
  run.add_list_option(*command, "--set_for", "compare.settings",
                      "METHOD:key=value, a setting of one method only, repeatable");
  run.add_list_option(*command, "--grid", "compare.grid",
                      "key=value|value, tried with every method, repeatable");
  command->add_option("--csv", arguments->csv, "also every run as a line of a CSV file");
  command->add_option("--markdown", arguments->markdown, "also the tables as a Markdown file");
  command->add_option("--only_seed", arguments->only_seed)->group("");
  command->add_option("--into", arguments->into)->group("");
  command->add_option("--parent", arguments->parent)->group("");
  command->callback(
      [&chosen, arguments] { chosen = [arguments] { return CompareProgram(*arguments).run(); }; });
}

}  // namespace allot
