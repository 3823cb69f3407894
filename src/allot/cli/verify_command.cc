// allot verify: the math verifier alone, on one pair or on a file of pairs.
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "allot/app/verify_answers.h"
#include "allot/app/yaml_file.h"
#include "allot/cli/commands.h"
#include "allot/cli/run_arguments.h"
#include "allot/core/error.h"

namespace allot {
namespace {

struct VerifyArguments {
  std::vector<std::string> golds;
  std::string pred, file, profile, kind = "response";
  std::vector<std::string> sets;
  bool has_pred = false, json = false;
};

int run_verify(const VerifyArguments& arguments) {
  VerifyOptions options;
  OptionList list = OptionList::of(options);
  if (!arguments.profile.empty()) list.set("verifier.profile", arguments.profile, "--profile");
  for (const std::string& text : arguments.sets) {
    const Setting setting = parse_set(text);
    list.set(setting.key, setting.text, setting.origin);
  }
  const bool pair = !arguments.golds.empty() && arguments.has_pred;
  if (pair == !arguments.file.empty())
    throw Error(ErrorKind::Config, "verify", "either --gold and --pred or --file is needed",
                "allot verify --gold '\\frac12' --pred 'so \\boxed{0.5}'");
  if (!pair) {
    const std::string text = read_data_file(arguments.file);
    for (const std::string& line : verify_lines(text, arguments.file, options))
      fmt::print("{}\n", line);
    return 0;
  }
  const VerifiedAnswer answer =
      verify_pair(arguments.golds, arguments.pred, arguments.kind, options);
  fmt::print("{}\n", arguments.json ? answer.json() : answer.text());
  return 0;
}

}  // namespace

void add_verify(CLI::App& app, Action& chosen) {
  CLI::App* command =
      app.add_subcommand("verify", "the math verifier alone: is an answer equal to another?");
  auto arguments = std::make_shared<VerifyArguments>();
  // One argument each: intervals and lists of answers stand in brackets, too.
  command->add_option("--gold", arguments->golds, "reference answer; repeatable, any may match")
      ->allow_extra_args(false);
  CLI::Option* pred = command->add_option("--pred", arguments->pred, "what the model said");
  command->add_option("--file", arguments->file,
                      "JSON lines: {\"gold\", \"pred\", \"kind\": \"response\"|\"answer\"}; the "
                      "output is JSON lines");
  command->add_option("--profile", arguments->profile, "strict (default) or flexible");
  command
      ->add_option("--kind", arguments->kind,
                   "of --pred: response = the answer is looked for; answer = it is the answer")
      ->check(CLI::IsMember({"response", "answer"}));
  command->add_option("--set", arguments->sets, "key=value of verifier.*, repeatable");
  command->add_flag("--json", arguments->json, "one JSON object");
  command->callback([&chosen, arguments, pred] {
    arguments->has_pred = pred->count() > 0;
    chosen = [arguments] { return run_verify(*arguments); };
  });
}

}  // namespace allot
