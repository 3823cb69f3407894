// The commands that only look: methods, config, doctor, report.
#include <memory>

#include <fmt/format.h>

#include "allot/app/config.h"
#include "allot/app/doctor.h"
#include "allot/app/find_runs.h"
#include "allot/app/method_listing.h"
#include "allot/app/scale_listing.h"
#include "allot/cli/commands.h"
#include "allot/cli/installed_packages.h"
#include "allot/cli/run_arguments.h"
#include "allot/core/durable_file.h"
#include "allot/report/comparison.h"
#include "allot/report/completions.h"
#include "allot/report/html.h"
#include "allot/report/table.h"

namespace allot {

void add_methods(CLI::App& app, Action& chosen) {
  CLI::App* command = app.add_subcommand("methods", "the allocation methods, or one in detail");
  struct Arguments {
    std::string name;
    bool json = false, scale = false;
  };
  auto arguments = std::make_shared<Arguments>();
  CLI::Option* named = command->add_option("name", arguments->name, "a method");
  command->add_flag("--json", arguments->json, "one JSON object");
  command
      ->add_flag("--scale", arguments->scale,
                 "the expected gradient of each method over the gradient of the pass rate")
      ->excludes(named);
  command->callback([&chosen, arguments] {
    chosen = [arguments] {
      const std::string& name = arguments->name;
      if (arguments->scale)
        fmt::print("{}\n", arguments->json ? scale_json() : scale_text());
      else if (arguments->json)
        fmt::print("{}\n", methods_json(name));
      else
        fmt::print("{}", name.empty() ? methods_text() : method_text(name));
      return 0;
    };
  });
}

void add_config(CLI::App& app, Action& chosen) {
  CLI::App* command = app.add_subcommand(
      "config", "the whole configuration, with the origin of every value that is not a default");
  auto arguments = std::make_shared<RunArguments>();
  auto other = std::make_shared<std::string>();
  arguments->add_to(*command);
  command->add_option("--diff", *other,
                      "another configuration or run folder: only the keys that differ from it");
  command->callback([&chosen, arguments, other] {
    chosen = [arguments, other] {
      ConfigSources sources = arguments->sources();
      if (!sources.files.empty()) sources.files.front() = config_file_of(sources.files.front());
      if (!other->empty()) {
        const auto differences = config_differences(
            load_config(sources), load_config({.files = {config_file_of(*other)}}));
        fmt::print("{}", arguments->json ? differences_json(differences) + "\n"
                                         : differences_text(differences));
      } else if (arguments->json) {
        fmt::print("{}\n", config_json(sources));
      } else {
        fmt::print("{}", annotated_yaml(sources));
      }
      return 0;
    };
  });
}

void add_doctor(CLI::App& app, Action& chosen) {
  CLI::App* command =
      app.add_subcommand("doctor", "this machine, this build, and the adapters to other trainers");
  struct Arguments {
    std::string output = "runs";
    bool json = false;
  };
  auto arguments = std::make_shared<Arguments>();
  command->add_option("--output", arguments->output, "folder for run folders");
  command->add_flag("--json", arguments->json, "one JSON object");
  command->callback([&chosen, arguments] {
    chosen = [arguments] {
      const std::vector<DoctorRow> rows = doctor(arguments->output);
      const InstalledPackages installed = installed_packages(adapter_packages());
      if (arguments->json)
        fmt::print("{}\n", doctor_json(rows, installed));
      else
        fmt::print("{}", doctor_text(rows, installed));
      return 0;
    };
  });
}

void add_report(CLI::App& app, Action& chosen) {
  CLI::App* command =
      app.add_subcommand("report", "table and HTML page of one or several run folders");
  struct Arguments {
    std::vector<std::string> runs;
    std::string out = "report.html", figure, csv, completions;
    bool json = false, markdown = false;
  };
  auto arguments = std::make_shared<Arguments>();
  command->add_option("runs", arguments->runs, "run folders, or folders of a comparison")
      ->required();
  command->add_option("--out", arguments->out, "the page to write");
  command->add_flag("--json", arguments->json, "one JSON object");
  command->add_option("--figure", arguments->figure, "also accuracy over compute as an SVG file");
  command->add_flag("--markdown", arguments->markdown, "the tables as Markdown");
  command->add_option("--csv", arguments->csv, "also every run as a line of a CSV file");
  command->add_option("--completions", arguments->completions,
                      "also the responses stored with their text, as a line each of a JSONL file");
  command->callback([&chosen, arguments] {
    chosen = [arguments] {
      const std::vector<RunFolderPath> runs = find_runs(arguments->runs);
      const Comparison comparison = compare_runs(runs);
      write_report(comparison, arguments->out);
      if (!arguments->completions.empty())
        replace_file(arguments->completions, completions_jsonl(runs));
      if (!arguments->csv.empty()) replace_file(arguments->csv, comparison_csv(comparison));
      if (!arguments->figure.empty()) write_figure(comparison, arguments->figure);
      if (arguments->json)
        fmt::print("{}\n", compare_json(comparison));
      else if (arguments->markdown)
        fmt::print("{}", markdown_tables(comparison));
      else
        fmt::print("{}\nreport: {}\n", terminal_table(comparison), arguments->out);
      return 0;
    };
  });
}

}  // namespace allot
