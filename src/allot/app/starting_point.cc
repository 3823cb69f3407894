#include "allot/app/starting_point.h"

#include <filesystem>
#include <sstream>

#include <unistd.h>

#include "allot/app/check_data.h"
#include "allot/app/folder_tokenizer.h"
#include "allot/app/memory_check.h"
#include "allot/core/durable_file.h"
#include "allot/core/error.h"
#include "allot/core/prompt_id.h"
#include "allot/local/warm_start.h"
#include "allot/text/char_tokenizer.h"

namespace allot {
namespace {

namespace fs = std::filesystem;

constexpr int kVocabularyMultiple = 16;

std::shared_ptr<const Tokenizer> tokenizer_for(const RunConfig& config, const Task& task) {
  if (!config.model.path.empty()) return folder_tokenizer(config.model.path);
  const CharTokenizer exact(task.alphabet);
  const int padded = (exact.size() + kVocabularyMultiple - 1) / kVocabularyMultiple;
  return std::make_shared<CharTokenizer>(task.alphabet, padded * kVocabularyMultiple);
}

// Every option that the warmed-up model depends on.
struct WarmModelOptions {
  ModelOptions model;
  TaskOptions data;
  WarmStartOptions warm_start;
  int shards = 0;

  template <class V>
  void fields(V& v) {
    v("model", model);
    v("data", data);
    v("warm_start", warm_start);
    v("shards", shards, Range{}, "");
  }
};

// The data's own hash is part of it: a file's content may change under the same options.
std::string cache_key(const RunConfig& config, const Task& task) {
  WarmModelOptions options{config.model, config.data, config.warm_start, config.learner.shards};
  std::ostringstream hex;
  hex << std::hex << hash_bytes(OptionList::of(options).yaml(), task.train->hash());
  return hex.str();
}

// Returns false if it was stopped.
bool warm_up(const RunConfig& config, const Task& task, const Tokenizer& tokenizer,
             const lm::Model& model, Recorder& console, const std::atomic<bool>& stop) {
  const WarmStartWork work{config.learner.micro_rollouts, config.learner.shards,
                           config.learner.workers};
  const auto report = [&](const WarmStartProgress& progress) {
    console.progress({"warm start", static_cast<double>(progress.step),
                      static_cast<double>(progress.steps), progress.positions});
  };
  const WarmStartResult result = warm_start(model, tokenizer, *task.train, task.train->ids(),
                                            config.warm_start, work, report, &stop);
  if (result.complete)
    console.event({Severity::Info, "warm_start",
                   concat("warm start: ", result.steps, " supervised steps, loss ",
                          result.first_loss, " -> ", result.last_loss, " nats per token"),
                   0});
  return result.complete;
}

fs::path cache_folder(const RunConfig& config, const Task& task) {
  return fs::path(config.train.output) / ".warm-start" / cache_key(config, task);
}

// nullptr: nothing is cached, or no warm start is wanted.
std::unique_ptr<StartingPoint> from_cache(const RunConfig& config, const Task& task) {
  const fs::path cached = cache_folder(config, task);
  if (config.warm_start.steps == 0 || !fs::exists(cached / "COMPLETE")) return nullptr;
  const auto tokenizer = tokenizer_for(config, task);
  ModelOptions options;
  options.path = cached.string();
  options.device = config.model.device;
  lm::Model model = make_model(options, tokenizer->size());
  check_prompts(config, task, *tokenizer, model.config().context);
  return std::make_unique<StartingPoint>(StartingPoint{tokenizer, std::move(model), true});
}

StartingPoint newly_made(const RunConfig& config, const Task& task) {
  const auto tokenizer = tokenizer_for(config, task);
  check_fits(config, task, *tokenizer);
  lm::Model model = make_model(config.model, tokenizer->size());
  check_prompts(config, task, *tokenizer, model.config().context);
  return {tokenizer, std::move(model), false};
}

// Written aside and renamed, so that a process that dies or works on the same beside this one
// leaves a whole folder or none. Who comes second keeps what is there: both are the same bits.
void write_cache(const fs::path& cached, const StartingPoint& start) {
  const fs::path aside = concat(cached.string(), ".", ::getpid());
  fs::create_directories(aside);
  start.model.save(aside.string());
  start.tokenizer->save(aside.string());
  replace_file(aside / "COMPLETE", "");
  std::error_code taken;
  fs::rename(aside, cached, taken);
  if (!taken) return;
  if (fs::exists(cached / "COMPLETE")) {
    fs::remove_all(aside);
    return;
  }
  fs::remove_all(cached);  // left in part by an earlier version, which wrote in place
  fs::rename(aside, cached);
}

}  // namespace

std::unique_ptr<StartingPoint> cold_starting_point(const RunConfig& config) {
  const Task task = make_task(config.data, config.train.seed);
  if (auto cached = from_cache(config, task)) return cached;
  return std::make_unique<StartingPoint>(newly_made(config, task));
}

std::unique_ptr<StartingPoint> starting_point(const RunConfig& config, Recorder& console,
                                              const std::atomic<bool>& stop) {
  const Task task = make_task(config.data, config.train.seed);
  if (auto cached = from_cache(config, task)) return cached;
  auto start = std::make_unique<StartingPoint>(newly_made(config, task));
  if (config.warm_start.steps == 0) return start;
  if (!warm_up(config, task, *start->tokenizer, start->model, console, stop)) return nullptr;
  write_cache(cache_folder(config, task), *start);
  return start;
}

}  // namespace allot
