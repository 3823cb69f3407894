#include "allot/app/starting_point.h"

#include <filesystem>
#include <optional>
#include <sstream>

#include <unistd.h>

#include "allot/app/folder_tokenizer.h"
#include "allot/app/memory_check.h"
#include "allot/app/prepare_task.h"
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

fs::path cache_folder(const RunConfig& config, const std::string& key) {
  return fs::path(config.train.output) / ".warm-start" / key;
}

// What a starting point is made of before its weights are there.
struct Read {
  std::string cache_key;
  std::shared_ptr<const Tokenizer> tokenizer;
  Task task;  // as the model reads it
};

Read read_task(const RunConfig& config) {
  Task drawn = make_task(config.data, config.train.seed);
  auto tokenizer = tokenizer_for(config, drawn);
  std::string key = cache_key(config, drawn);
  const int context = model_shape(config.model, tokenizer->size()).context;
  Task task = prepare_task(std::move(drawn), config, *tokenizer, context);
  return {std::move(key), std::move(tokenizer), std::move(task)};
}

// nullptr: nothing is cached, or no warm start is wanted.
std::unique_ptr<StartingPoint> from_cache(const RunConfig& config, const Read& read) {
  const fs::path cached = cache_folder(config, read.cache_key);
  if (config.warm_start.steps == 0 || !fs::exists(cached / "COMPLETE")) return nullptr;
  ModelOptions options;
  options.path = cached.string();
  options.device = config.model.device;
  return std::make_unique<StartingPoint>(
      StartingPoint{read.tokenizer, make_model(options, read.tokenizer->size()), true, {}});
}

StartingPoint newly_made(const RunConfig& config, const Read& read) {
  check_fits(config, read.task, *read.tokenizer);
  return {read.tokenizer, make_model(config.model, read.tokenizer->size()), false, {}};
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

// The configuration of the policy that samples, where that is another one: the same task, warm
// start and seed with a built-in shape of its own.
std::optional<RunConfig> sampler_config(const RunConfig& config) {
  const ModelOptions& trained = config.model;
  RunConfig other = config;
  other.sampler.model = SamplerModel::Trained;
  other.model = {};
  other.model.context = trained.context;
  other.model.device = trained.device;
  other.model.seed = trained.seed;
  switch (config.sampler.model) {
    case SamplerModel::Trained:
      return std::nullopt;
    case SamplerModel::S:
      other.model.size = ModelSize::S;
      break;
    case SamplerModel::M:
      other.model.size = ModelSize::M;
      break;
    case SamplerModel::L:
      other.model.size = ModelSize::L;
      break;
  }
  return other;
}

}  // namespace

std::unique_ptr<StartingPoint> cold_starting_point(const RunConfig& config) {
  const Read read = read_task(config);
  std::unique_ptr<StartingPoint> start = from_cache(config, read);
  if (!start) start = std::make_unique<StartingPoint>(newly_made(config, read));
  if (const auto other = sampler_config(config))
    start->sampler = cold_starting_point(*other)->model;
  return start;
}

std::unique_ptr<StartingPoint> starting_point(const RunConfig& config, Recorder& console,
                                              const std::atomic<bool>& stop) {
  const Read read = read_task(config);
  std::unique_ptr<StartingPoint> start = from_cache(config, read);
  if (!start) {
    start = std::make_unique<StartingPoint>(newly_made(config, read));
    if (config.warm_start.steps > 0) {
      if (!warm_up(config, read.task, *start->tokenizer, start->model, console, stop))
        return nullptr;
      write_cache(cache_folder(config, read.cache_key), *start);
    }
  }
  if (const auto other = sampler_config(config)) {
    const auto sampler = starting_point(*other, console, stop);
    if (!sampler) return nullptr;
    start->sampler = sampler->model;
  }
  return start;
}

}  // namespace allot
