// Memory of training on this machine: what local/training_memory.h estimates against what the
// process really takes, and whether it grows from step to step.
//
//   bench/train_memory [--size S|M|L|100M] [--steps 5] [--prompts 64] [--group 16] [--new 48]
//                      [--micro 32] [--workers 2] [--matmul f32]
//
// Rollouts are random tokens; nothing is generated. The peak is the process's, less what it took
// before the model was made; growth is that of the resident memory from the second step to the
// last. 100M is a Qwen2-shaped model of 98 M parameters.
#include <cstdio>
#include <map>
#include <string>

#include "allot/lm/matmul.h"
#include "allot/local/learner.h"
#include "allot/local/model_options.h"
#include "allot/local/training_memory.h"
#include "allot/loop/rollout_store.h"
#include "allot/tasks/prompt_set.h"
#include "allot/text/char_tokenizer.h"
#include "program.h"

namespace allot {
namespace {

using bench::now;
using bench::process_megabytes;

constexpr int kPromptTokens = 16;
constexpr const char* kAlphabet = "0123456789abcdefghijklmnopqrstuvwxyz:=> ,.;?+-*/()[]{}<_#@&%";

struct Arguments {
  std::string size = "S";
  int steps = 5, prompts = 64, group = 16, new_tokens = 48, micro = 32, workers = 2;
  Matmul matmul = Matmul::F32;
};

lm::ModelConfig config_of(const std::string& size, int vocab) {
  ModelOptions options;
  options.size = size == "M" ? ModelSize::M : size == "L" ? ModelSize::L : ModelSize::S;
  if (size != "100M") return options.shape(vocab);
  lm::ModelConfig config;
  config.vocab = 16384;
  config.dim = 768;
  config.layers = 14;
  config.heads = 12;
  config.kv_heads = 2;
  config.head_dim = 64;
  config.ffn = 2048;
  config.norm_eps = 1e-6;
  return config;
}

PromptSet make_prompts(int count) {
  std::vector<Prompt> prompts;
  for (int i = 0; i < count; ++i) {
    Prompt prompt;
    prompt.id = static_cast<PromptId>(i);
    prompt.text = std::string(kPromptTokens, static_cast<char>('a' + i % 26));
    prompts.push_back(std::move(prompt));
  }
  return {std::move(prompts), 0};
}

void add_rollouts(const Arguments& a, int vocab, TrainBatch& batch, RolloutStore& store) {
  RandomStream random({1, RandomUse::Test});
  for (int p = 0; p < a.prompts; ++p) {
    batch.groups.push_back({static_cast<PromptId>(p), static_cast<std::uint32_t>(p * a.group),
                            static_cast<std::uint32_t>(a.group),
                            static_cast<std::uint32_t>(a.group), 0.5f});
    for (int i = 0; i < a.group; ++i) {
      Rollout rollout;
      rollout.id = static_cast<RolloutId>(p * a.group + i);
      rollout.prompt = static_cast<PromptId>(p);
      for (int t = 0; t < a.new_tokens; ++t) {
        rollout.tokens.push_back(
            static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(vocab))));
        rollout.logp.push_back(-1);
      }
      batch.items.push_back({rollout.id, i % 2 ? 1.0f : -1.0f});
      store.add(std::move(rollout), {}, 0);
    }
  }
}

void run(const Arguments& a) {
  lm::configure_matmul();
  const CharTokenizer tokenizer(kAlphabet, 64);
  const PromptSet prompts = make_prompts(a.prompts);
  const lm::ModelConfig config = config_of(a.size, tokenizer.size());
  const double before = process_megabytes("VmRSS:");
  const lm::Model model = lm::Model::random(config, 1, at::kFloat, at::kCPU);
  LearnerOptions options;
  options.shards = options.workers = a.workers;
  options.micro_rollouts = a.micro;
  options.matmul = a.matmul;
  OptimOptions optim;
  optim.lr = 1e-4;
  LocalLearner learner(model, tokenizer, prompts, options, optim,
                       objective::LossOptions{}.expanded(), {1.0, true});
  TrainBatch batch;
  RolloutStore store;
  add_rollouts(a, config.vocab, batch, store);
  double early = 0;
  const double start = now();
  for (int step = 0; step < a.steps; ++step) {
    learner.update(batch, store);
    if (step <= 1) early = process_megabytes("VmRSS:");
  }
  const double seconds = (now() - start) / a.steps;
  const int groups_at_once = std::max(1, a.micro / a.group);
  const TrainingMemory estimate = training_memory(
      config, {groups_at_once * (kPromptTokens + std::int64_t{a.group} * (a.new_tokens - 1)),
               a.workers, a.workers});
  std::printf("size %s, %lld parameters, %s: %.3f s per step\n", a.size.c_str(),
              config.parameter_count(), a.matmul == Matmul::Bf16 ? "bf16" : "f32", seconds);
  std::printf("estimate: %s\n", estimate.to_string().c_str());
  std::printf("measured: %.0f MB beside %.0f MB of the program; peak of the process %.0f MB\n",
              process_megabytes("VmHWM:") - before, before, process_megabytes("VmHWM:"));
  std::printf("growth from step 2 to step %d: %.1f MB\n", a.steps,
              process_megabytes("VmRSS:") - early);
}

}  // namespace
}  // namespace allot

int main(int argc, char** argv) {
  using allot::Matmul;
  allot::Arguments arguments;
  const std::map<std::string, Matmul> products = {{"f32", Matmul::F32}, {"bf16", Matmul::Bf16}};
  CLI::App app("Memory of training: the estimate, the measured peak, and growth.");
  app.add_option("--size", arguments.size, "of the model")
      ->check(CLI::IsMember({"S", "M", "L", "100M"}));
  app.add_option("--steps", arguments.steps, "training steps")->check(CLI::Range(1, 1 << 30));
  app.add_option("--prompts", arguments.prompts, "of a step")->check(CLI::Range(1, 1 << 20));
  app.add_option("--group", arguments.group, "responses per prompt")->check(CLI::Range(1, 1 << 16));
  app.add_option("--new", arguments.new_tokens, "tokens of a response")->check(CLI::Range(1, 200));
  app.add_option("--micro", arguments.micro, "responses computed together")
      ->check(CLI::Range(1, 1 << 16));
  app.add_option("--workers", arguments.workers, "threads")->check(CLI::Range(1, 256));
  app.add_option("--matmul", arguments.matmul, "numbers of the matrix products")
      ->transform(CLI::CheckedTransformer(products));
  return allot::bench::run_program(app, argc, argv, [&] { allot::run(arguments); });
}
