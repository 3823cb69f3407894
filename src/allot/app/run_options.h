// Options of a run that belong to no other room: train.*, rollout.*, eval.*, compare.*.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "allot/core/options.h"
#include "allot/loop/engine.h"
#include "allot/remote/server_options.h"
#include "allot/tasks/file_task.h"

namespace allot {

enum class PromptEmbedding { Text, Model };

struct TrainOptions {
  int prompts_per_step = 32;
  int max_steps = 200;
  std::uint64_t seed = 0;
  std::string output = "runs";
  std::uint64_t max_compute = 0, max_generated = 0, max_rollouts = 0;
  double max_seconds = 0;
  PromptEmbedding embedding = PromptEmbedding::Text;

  template <class V>
  void fields(V& v) {
    v("prompts_per_step", prompts_per_step, Range{1, 1e6}, "groups wanted in one update");
    v("max_steps", max_steps, Range{0, 1e9}, "steps of the run");
    v("seed", seed, Range{0, 9e15}, "of the order of prompts, of sampling and of decisions");
    v("output", output, "folder that holds the run folders");
    v("max_compute", max_compute, Range{0, 1e18},
      "end after the step that reaches this compute (positions); 0 = off");
    v("max_generated", max_generated, Range{0, 1e18},
      "end after the step that reaches this many generated tokens; 0 = off");
    v("max_rollouts", max_rollouts, Range{0, 1e18},
      "end after the step that reaches this many generated rollouts; 0 = off");
    v("max_seconds", max_seconds, Range{0, 1e9},
      "end after the step that reaches this training time, evaluations not counted; 0 = off");
    v("embedding", embedding,
      Choices<PromptEmbedding>{{"text", PromptEmbedding::Text}, {"model", PromptEmbedding::Model}},
      "what methods that compare prompts see of them: features of their text, or what the model "
      "makes of them before training");
  }
};

struct SamplingOptions {
  double temperature = 1, top_p = 1, min_p = 0;
  int top_k = 0;
  int max_new_tokens = 0;
  std::vector<std::string> stop;

  template <class V>
  void fields(V& v) {
    v("temperature", temperature, Range{0, 100}, "of sampling; 0 = greedy");
    v("top_p", top_p, Range{0, 1}, "nucleus sampling; 1 = off");
    v("top_k", top_k, Range{0, 1e9}, "candidates kept; 0 = off");
    v("min_p", min_p, Range{0, 1}, "least probability relative to the likeliest token; 0 = off");
    v("max_new_tokens", max_new_tokens, Range{0, 1e6},
      "longest response; 0 = the longest correct one of the task plus its end token");
    v("stop", stop, "texts that end a response, beside the end token");
  }
  Sampling sampling(std::uint32_t longest_response) const {
    Sampling s;
    s.temperature = static_cast<float>(temperature);
    s.top_p = static_cast<float>(top_p);
    s.min_p = static_cast<float>(min_p);
    s.top_k = top_k;
    s.max_new = max_new_tokens > 0 ? static_cast<std::uint32_t>(max_new_tokens) : longest_response;
    s.stop = stop;
    return s;
  }
};

enum class EngineKind : std::uint8_t { Local, Server };

// The policy that samples: the trained one, or a built-in shape of its own.
enum class SamplerModel : std::uint8_t { Trained, S, M, L };

// Who samples.
struct EngineOptions {
  EngineKind engine = EngineKind::Local;
  remote::ServerOptions server;
  SamplerModel model = SamplerModel::Trained;
  int refresh_every = 1;

  // Throws Error(Config) for what only the local engine can do.
  void validate() const;

  template <class V>
  void fields(V& v) {
    v("engine", engine,
      Choices<EngineKind>{{"local", EngineKind::Local}, {"server", EngineKind::Server}},
      "who samples: the model of this machine, or a server that loads its weights");
    v("server", server);
    v("model", model,
      Choices<SamplerModel>{{"trained", SamplerModel::Trained},
                            {"S", SamplerModel::S},
                            {"M", SamplerModel::M},
                            {"L", SamplerModel::L}},
      "policy that samples: the trained one, or a built-in shape that is warmed up as that is and "
      "then stays as it is; evaluation is always of the trained one");
    v("refresh_every", refresh_every, Range{1, 1e6},
      "steps between two refreshes of the weights that sample; more than 1 samples from a stale "
      "copy");
  }
};

struct EvalOptions {
  int every = 20;
  int prompts = 0;
  int group_size = 1;
  std::vector<int> k = {1};
  double temperature = 1;
  std::vector<std::string> sets;

  // Of `sets`. Throws Error(Config): a name that is empty, "test" or there twice.
  std::vector<NamedFile> files() const;

  template <class V>
  void fields(V& v) {
    v("every", every, Range{0, 1e9}, "steps between two evaluations; 0 = only before and after");
    v("prompts", prompts, Range{0, 1e9}, "held-out prompts used; 0 = all");
    v("group_size", group_size, Range{1, 4096}, "responses per held-out prompt");
    v("k", k, Range{1, 4096}, "values of k for pass@k, each at most eval.group_size");
    v("temperature", temperature, Range{0, 100}, "of sampling in evaluation; 0 = greedy");
    v("sets", sets,
      "further files of held-out prompts, NAME=FILE or FILE, each evaluated by itself; columns are "
      "found by name");
  }
};

enum class Equal { Compute, Generated, Rollouts, Seconds, Steps };

struct CompareOptions {
  std::vector<std::string> methods = {"grpo", "dapo", "aero"};
  int seeds = 1;
  int processes = 0;
  Equal equal = Equal::Compute;
  std::vector<std::string> settings, grid;

  template <class V>
  void fields(V& v) {
    v("methods", methods, "methods compared; the first one sets what all may spend");
    v("seeds", seeds, Range{1, 1000}, "runs per method; their seeds count up from train.seed");
    v("processes", processes, Range{0, 1024},
      "seeds that run at the same time, each in a process of its own; 0 = as many as the "
      "processors allow, and one where seconds are compared");
    v("equal", equal,
      Choices<Equal>{{"compute", Equal::Compute},
                     {"generated", Equal::Generated},
                     {"rollouts", Equal::Rollouts},
                     {"seconds", Equal::Seconds},
                     {"steps", Equal::Steps}},
      "what is the same for all: compute (positions), generated tokens, rollouts, seconds of "
      "training, or steps");
    v("settings", settings,
      "settings of one method only, METHOD:key=value, such as aero:optim.lr=1e-4");
    v("grid", grid,
      "values to try with every method, key=value|value, such as alloc.group_size=4|8; several "
      "entries give all combinations, and the first one of the first method sets the budget");
  }
};

}  // namespace allot
