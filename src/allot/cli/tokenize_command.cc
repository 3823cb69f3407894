// allot tokenize: token ids of a file of texts.
#include <memory>
#include <string>

#include <fmt/format.h>

#include "allot/app/tokenize_lines.h"
#include "allot/app/yaml_file.h"
#include "allot/cli/commands.h"

namespace allot {

void add_tokenize(CLI::App& app, Action& chosen) {
  CLI::App* command = app.add_subcommand("tokenize", "token ids of texts");
  struct Arguments {
    std::string tokenizer, file;
    bool json = false;
  };
  auto arguments = std::make_shared<Arguments>();
  command
      ->add_option("--tokenizer", arguments->tokenizer,
                   "model folder, or a tokenizer.json of its own")
      ->required();
  command
      ->add_option("--file", arguments->file,
                   "JSON lines: {\"text\", \"parse_special\"}; the output is JSON lines")
      ->required();
  command->add_flag("--json", arguments->json, "JSON lines, as always");
  command->callback([&chosen, arguments] {
    chosen = [arguments] {
      const std::string text = read_data_file(arguments->file);
      for (const std::string& line : tokenize_lines(text, arguments->file, arguments->tokenizer))
        fmt::print("{}\n", line);
      return 0;
    };
  });
}

}  // namespace allot
