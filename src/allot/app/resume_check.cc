#include "allot/app/resume_check.h"

#include <filesystem>
#include <sstream>
#include <vector>

#include "allot/core/error.h"
#include "allot/store/run_reader.h"
#include "allot/tasks/math/options.h"

namespace allot {
namespace {

// A schedule without a length of its own ends with the run, and CERO spreads its budget over it.
bool looks_ahead(const RunConfig& config) {
  const bool scheduled =
      config.optim.schedule != Schedule::Constant && config.optim.schedule_steps == 0;
  const bool spread =
      config.alloc.method.find("cero") != std::string::npos && config.alloc.budget.run_steps == 0;
  return scheduled || spread;
}

bool may_change(const std::string& key, const RunConfig& now) {
  for (const std::string& name : now.checkpoint.allow_changes)
    if (key == name || key.starts_with(name + ".")) return true;
  if (key == "train.max_steps") return !looks_ahead(now);
  for (const char* free :
       {"train.max_", "train.output", "train.workers", "rollout.workers", "rollout.slots",
        "rollout.server.", "reward.workers", "reward.timeout_s", "data.jsonl.stream", "eval.",
        "log.", "checkpoint.", "health.", "compare."})
    if (key.starts_with(free)) return true;
  return false;
}

RunConfig config_of(const std::string& expanded, const std::string& file) {
  RunConfig config;
  OptionList list = OptionList::of(config);
  for (const Setting& setting : parse_yaml(expanded, file))
    list.set(setting.key, setting.text, file);
  return config;
}

// "" where nothing is known of the data before.
std::string data_difference(const RunReader& run, const DataFacts& now) {
  const std::string hash = run.fact("data/hash");
  if (hash.empty() || hash == now.hash) return "";
  return concat("training data: ", run.fact("data/prompts"), " prompts, hash ", hash, " -> ",
                now.prompts, " prompts, hash ", now.hash);
}

// Of the math verifier's verdicts, which rewards and beliefs are made of.
std::string verifier_difference(const RunReader& run, const RunConfig& now) {
  const std::string before = run.fact("verifier/version");
  if (before.empty() || before == std::to_string(verify::kVersion)) return "";
  if (may_change("verifier", now)) return "";
  return concat("verifier: version ", before, " -> ", verify::kVersion);
}

}  // namespace

DataFacts DataFacts::of(const PromptSource& train) {
  std::ostringstream hex;
  hex << std::hex << train.hash();
  return {std::to_string(train.size()), hex.str()};
}

void refuse_changes(const RunFolder& folder, const RunConfig& now, const DataFacts& data) {
  std::string refused;
  const auto refuse = [&](const std::string& difference) {
    if (!difference.empty()) refused += (refused.empty() ? "" : "; ") + difference;
  };
  if (std::filesystem::exists(folder.path() / "run.sqlite")) {
    const RunReader run(folder.path());
    refuse(data_difference(run, data));
    refuse(verifier_difference(run, now));
  }
  if (const auto before = folder.expanded_config()) {
    const RunConfig old = config_of(*before, (folder.path() / "config.expanded.yaml").string());
    for (const ConfigDifference& difference : config_differences(old, now))
      if (!may_change(difference.key, now)) refuse(difference.text());
  }
  if (refused.empty()) return;
  throw Error(ErrorKind::Model, folder.path().string(),
              concat("this run was started with other settings: ", refused),
              "--fresh starts a new run; checkpoint.allow_changes names keys that may differ");
}

}  // namespace allot
