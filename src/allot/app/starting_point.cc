#include "allot/app/starting_point.h"

#include <filesystem>
#include <sstream>

#include "allot/app/check_data.h"
#include "allot/core/durable_file.h"
#include "allot/core/error.h"
#include "allot/core/prompt_id.h"
#include "allot/local/warm_start.h"

namespace allot {
namespace {

namespace fs = std::filesystem;

constexpr int kVocabularyMultiple = 16;

CharTokenizer tokenizer_for(const RunConfig& config, const Task& task) {
  if (!config.model.path.empty()) return CharTokenizer::load(config.model.path);
  const CharTokenizer exact(task.alphabet);
  const int padded = (exact.size() + kVocabularyMultiple - 1) / kVocabularyMultiple;
  return CharTokenizer(task.alphabet, padded * kVocabularyMultiple);
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
bool warm_up(const RunConfig& config, const Task& task, const CharTokenizer& tokenizer,
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

}  // namespace

std::unique_ptr<StartingPoint> starting_point(const RunConfig& config, Recorder& console,
                                              const std::atomic<bool>& stop) {
  const Task task = make_task(config.data, config.train.seed);
  CharTokenizer tokenizer = tokenizer_for(config, task);
  const bool wants_warm_start = config.warm_start.steps > 0;
  const fs::path cached = fs::path(config.train.output) / ".warm-start" / cache_key(config, task);
  if (wants_warm_start && fs::exists(cached / "COMPLETE")) {
    ModelOptions options;
    options.path = cached.string();
    options.device = config.model.device;
    lm::Model model = make_model(options, tokenizer.size());
    check_prompts(config, task, tokenizer, model.config().context);
    return std::make_unique<StartingPoint>(
        StartingPoint{std::move(tokenizer), std::move(model), true});
  }
  lm::Model model = make_model(config.model, tokenizer.size());
  check_prompts(config, task, tokenizer, model.config().context);
  if (wants_warm_start) {
    if (!warm_up(config, task, tokenizer, model, console, stop)) return nullptr;
    fs::create_directories(cached);
    model.save(cached.string());
    tokenizer.save(cached.string());
    replace_file(cached / "COMPLETE", "");
  }
  return std::make_unique<StartingPoint>(
      StartingPoint{std::move(tokenizer), std::move(model), false});
}

}  // namespace allot
