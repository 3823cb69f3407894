// The configuration of a run: every option of every room in one tree, from files and --set.
//
// Precedence: defaults < files in order < --set and flags from left to right. An unknown key is an
// error that names the nearest one. A method's options can be given for one compared method only,
// because they sit under alloc.<method>.*.
#pragma once

#include <string>
#include <vector>

#include "allot/app/reward_options.h"
#include "allot/app/run_options.h"
#include "allot/app/yaml_file.h"
#include "allot/local/engine.h"
#include "allot/local/learner.h"
#include "allot/local/model_options.h"
#include "allot/local/warm_start.h"
#include "allot/loop/health.h"
#include "allot/methods/registry.h"
#include "allot/objective/options.h"
#include "allot/store/store_options.h"
#include "allot/tasks/registry.h"

namespace allot {

struct RunConfig {
  ModelOptions model;
  TaskOptions data;
  RewardOptions reward;
  WarmStartOptions warm_start;
  AllocOptions alloc;
  AdvantageOptions adv;
  objective::LossOptions loss;
  SamplingOptions sampling;   // rollout.*
  LocalEngineOptions engine;  // rollout.*
  EngineOptions sampler;      // rollout.engine, rollout.server.*
  OptimOptions optim;
  TrainOptions train;      // train.*
  LearnerOptions learner;  // train.*
  EvalOptions eval;
  LogOptions log;
  CheckpointOptions checkpoint;
  HealthOptions health;
  CompareOptions compare;

  template <class V>
  void fields(V& v) {
    v("model", model);
    v("data", data);
    v("reward", reward);
    v("warm_start", warm_start);
    v("alloc", alloc);
    v("adv", adv);
    v("loss", loss);
    v("rollout", sampling);
    v("rollout", engine);
    v("rollout", sampler);
    v("optim", optim);
    v("train", train);
    v("train", learner);
    v("eval", eval);
    v("log", log);
    v("checkpoint", checkpoint);
    v("health", health);
    v("compare", compare);
  }

  // Rules across sections; every section's own rules too, for every compared method with its own
  // settings. Throws Error(Config).
  void validate() const;
};

// The configuration of one compared method: alloc.method and its share of compare.settings.
// Throws Error(Config), also for settings that all compared runs must share.
RunConfig config_of_method(const RunConfig& base, const std::string& method);

struct ConfigSources {
  std::vector<std::string> files;  // YAML, later ones win
  std::vector<Setting> flags;      // --set and long flags, left to right
};

// Reads, applies and validates.
RunConfig load_config(const ConfigSources& sources);

// All keys with their values, as YAML; reads back as the same configuration. What a value that is
// left to loss.preset stands for follows behind it as a comment.
std::string expanded_yaml(const RunConfig& config);

// All keys with "# file:line" behind every value that is not a default.
std::string annotated_yaml(const ConfigSources& sources);

// [{"key", "type", "default", "value", "range", "help", ...}, ...] of all keys.
std::string config_json(const ConfigSources& sources);

// A key whose value differs.
struct ConfigDifference {
  std::string key, before, after;
  std::string text() const;  // "alloc.method: grpo -> aero"
};
std::vector<ConfigDifference> config_differences(const RunConfig& before, const RunConfig& after);
std::string differences_text(const std::vector<ConfigDifference>& differences);  // a line each
std::string differences_json(const std::vector<ConfigDifference>& differences);

// The expanded configuration of a run folder; any other path as it is.
std::string config_file_of(const std::string& path);

// The stem of the first file, or `fallback`: the default name of a run.
std::string run_name(const ConfigSources& sources, const std::string& fallback);

}  // namespace allot
