// allot data check: what a data set holds and what of it cannot be used.
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "allot/app/data_report.h"
#include "allot/cli/commands.h"
#include "allot/cli/run_arguments.h"
#include "allot/core/options.h"

namespace allot {

void add_data(CLI::App& app, Action& chosen) {
  CLI::App* data = app.add_subcommand("data", "data sets: check FILE");
  data->require_subcommand(1);
  CLI::App* command = data->add_subcommand(
      "check", "style, columns, unusable rows and lengths of a data set; leakage");
  struct Arguments {
    DataCheck check;
    std::vector<std::string> sets;
    bool json = false;
  };
  auto arguments = std::make_shared<Arguments>();
  DataCheck& check = arguments->check;
  command->add_option("file", check.file, "JSON lines, a JSON list or CSV")->required();
  command->add_option("--against", check.against,
                      "a held-out file: which of its questions are in FILE?");
  command->add_option("--tokenizer", check.tokenizer,
                      "model folder, or a tokenizer.json: prompts are measured with it");
  command
      ->add_option("--max_prompt_tokens", check.max_prompt_tokens,
                   "count the prompts that are longer")
      ->check(CLI::NonNegativeNumber);
  command->add_option("--set", arguments->sets,
                      "key=value of data.columns.* and data.jsonl.*, repeatable");
  command->add_flag("--json", arguments->json, "one JSON object");
  command->callback([&chosen, arguments] {
    chosen = [arguments] {
      OptionList list = OptionList::of(arguments->check, "data");
      for (const std::string& text : arguments->sets) {
        const Setting setting = parse_set(text);
        list.set(setting.key, setting.text, setting.origin);
      }
      const DataReport report = check_data_set(arguments->check);
      fmt::print("{}", arguments->json ? report.json() + "\n" : report.text());
      return 0;
    };
  });
}

}  // namespace allot
