// One GRPO step of a fixed shape on this machine: 64 prompts x 16 responses, prompt 16 + 48 new
// tokens, every response trained. Prints seconds, tokens per second and the share of the
// matrix-product peak that is measured in the same run, the seconds that the products alone would
// take at that peak, the most memory of the process and its growth after the first tenth of the
// steps.
//
//   bench/step [--sizes S,M,L] [--steps 7] [--workers 2] [--matmul f32] [--rollout f32] [--json]
//
// Peak share counts weight products of the rows really computed (2 P per generated token and
// prefilled position, 6 P per trained row; P = parameters that are multiplied), not attention.
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "allot/lm/device_facts.h"
#include "allot/lm/generator.h"
#include "allot/lm/matmul.h"
#include "allot/local/learner.h"
#include "allot/local/model_options.h"
#include "allot/loop/rollout_store.h"
#include "allot/tasks/prompt_set.h"
#include "allot/text/char_tokenizer.h"
#include "program.h"

namespace allot {
namespace {

using bench::median;
using bench::now;
using bench::process_megabytes;

constexpr int kPrompts = 64, kGroup = 16, kPromptTokens = 16, kNewTokens = 48;
constexpr const char* kAlphabet = "0123456789abcdefghijklmnopqrstuvwxyz:=> ,.;?+-*/()[]{}<_#@&%";

struct Arguments {
  std::vector<ModelSize> sizes = {ModelSize::S, ModelSize::M, ModelSize::L};
  int steps = 7, workers = 2;
  Matmul matmul = Matmul::F32;
  lm::DecodeType rollout = lm::DecodeType::OfModel;
  bool json = false;
};

PromptSet make_prompts() {
  std::vector<Prompt> prompts;
  RandomStream random({1, RandomUse::Test});
  for (int i = 0; i < kPrompts; ++i) {
    Prompt prompt;
    prompt.id = static_cast<PromptId>(i);
    prompt.text = "sort:";
    while (prompt.text.size() < kPromptTokens - 2)
      prompt.text += static_cast<char>('0' + random.below(10));
    prompt.text += "=>";
    prompts.push_back(std::move(prompt));
  }
  return {std::move(prompts), 0};
}

struct Measured {
  std::vector<double> generate, train, step;
  double generate_flops = 0, train_flops = 0;
  double peak_mb = 0, growth_mb = 0;
};

const char* size_name(ModelSize size) {
  return size == ModelSize::S ? "S" : size == ModelSize::M ? "M" : "L";
}

// Parameters that take part in matrix products: all but norms, biases and an untied embedding.
double multiplied_parameters(const lm::Model& model) {
  double total = model.config().tied_embedding ? 0 : -static_cast<double>(model.embedding.numel());
  for (const lm::NamedTensor& parameter : model.parameters())
    if (parameter.tensor.dim() == 2) total += static_cast<double>(parameter.tensor.numel());
  return total;
}

std::vector<lm::GenerationRequest> requests(const PromptSet& prompts, const Tokenizer& tokenizer,
                                            std::uint64_t step) {
  std::vector<lm::GenerationRequest> all;
  for (const PromptId id : prompts.ids()) {
    lm::GenerationRequest request;
    request.id = id * kGroup;
    request.n = kGroup;
    request.prompt = tokenizer.encode(prompts.get(id).text);
    request.random = {1, RandomUse::Train, step, id, 0};
    request.max_new = kNewTokens;
    all.push_back(std::move(request));
  }
  return all;
}

TrainBatch batch_of_everything() {
  TrainBatch batch;
  for (int i = 0; i < kPrompts; ++i) {
    batch.groups.push_back(
        {static_cast<PromptId>(i), static_cast<std::uint32_t>(i * kGroup), kGroup, kGroup, 0.5f});
    for (int j = 0; j < kGroup; ++j)
      batch.items.push_back({static_cast<RolloutId>(i * kGroup + j), j % 2 ? 1.0f : -1.0f});
  }
  return batch;
}

Measured measure(ModelSize size, const Arguments& arguments) {
  const CharTokenizer tokenizer(kAlphabet, 64);
  const PromptSet prompts = make_prompts();
  ModelOptions options;
  options.size = size;
  const lm::Model model = make_model(options, tokenizer.size());
  lm::Generator generator(model, {arguments.workers, 64, arguments.rollout});
  LearnerOptions learner_options;
  learner_options.shards = learner_options.workers = arguments.workers;
  learner_options.matmul = arguments.matmul;
  OptimOptions optim;
  optim.lr = 3e-4;
  LocalLearner learner(model, tokenizer, prompts, learner_options, optim,
                       objective::LossOptions{}.expanded(), {1.0, true});
  const double parameters = multiplied_parameters(model);
  const TrainBatch batch = batch_of_everything();

  Measured m;
  double early_mb = 0;
  for (int step = -1; step < arguments.steps; ++step) {  // step -1 warms up
    RolloutStore store;
    const double start = now();
    generator.weights_changed();
    const lm::GenerationCost cost =
        generator.run(requests(prompts, tokenizer, static_cast<std::uint64_t>(step + 1)),
                      [&](lm::GeneratedSequence&& sequence) {
                        Rollout rollout;
                        rollout.id = sequence.id;
                        rollout.prompt = sequence.id / kGroup;
                        rollout.behaviour = learner.version();
                        rollout.tokens = std::move(sequence.tokens);
                        rollout.logp = std::move(sequence.logprob);
                        store.add(std::move(rollout), {}, 0);
                        return true;
                      });
    const double generated = now();
    const std::uint64_t trained_before = learner.cost().trained;
    learner.update(batch, store);
    const double trained = now();
    if (step == arguments.steps / 10 - 1) early_mb = process_megabytes("VmRSS:");
    if (step < 0) continue;
    m.generate.push_back(generated - start);
    m.train.push_back(trained - generated);
    m.step.push_back(trained - start);
    m.generate_flops = 2 * parameters * static_cast<double>(cost.prefilled + cost.generated);
    m.train_flops = 6 * parameters * static_cast<double>(learner.cost().trained - trained_before);
  }
  m.peak_mb = process_megabytes("VmHWM:");
  m.growth_mb = process_megabytes("VmRSS:") - early_mb;
  return m;
}

void print(ModelSize size, const Measured& m, double peak, bool json) {
  const double step = median(m.step), generate = median(m.generate), train = median(m.train);
  const double generate_share = m.generate_flops / generate / peak,
               train_share = m.train_flops / train / peak,
               products = (m.generate_flops + m.train_flops) / peak;
  constexpr double kTokens = static_cast<double>(kPrompts) * kGroup * kNewTokens;
  if (json) {
    std::printf(
        "{\"size\":\"%s\",\"step_s\":%.4f,\"generate_s\":%.4f,\"train_s\":%.4f,"
        "\"generate_peak_share\":%.3f,\"train_peak_share\":%.3f,\"products_s\":%.4f,"
        "\"peak_mb\":%.1f,\"growth_mb\":%.1f}\n",
        size_name(size), step, generate, train, generate_share, train_share, products, m.peak_mb,
        m.growth_mb);
  } else {
    std::printf(
        "%s  step %7.3f s   generate %7.3f s  %8.0f tok/s  %3.0f %% of peak   "
        "train %7.3f s  %8.0f tok/s  %3.0f %% of peak   products alone %.3f s   "
        "%.0f MB, growing by %.1f\n",
        size_name(size), step, generate, kTokens / generate, 100 * generate_share, train,
        kTokens / train, 100 * train_share, products, m.peak_mb, m.growth_mb);
  }
  std::fflush(stdout);
}

void run(const Arguments& arguments) {
  lm::configure_matmul();
  for (const ModelSize size : arguments.sizes) {
    const double peak = 1e9 * arguments.workers * lm::measure_matmul_gflops(1024, 8);
    if (!arguments.json)
      std::printf("peak %.0f GFLOP/s on %d threads; ", peak / 1e9, arguments.workers);
    print(size, measure(size, arguments), peak, arguments.json);
  }
}

}  // namespace
}  // namespace allot

int main(int argc, char** argv) {
  using allot::Matmul;
  using allot::ModelSize;
  allot::Arguments arguments;
  const std::map<std::string, ModelSize> sizes = {
      {"S", ModelSize::S}, {"M", ModelSize::M}, {"L", ModelSize::L}};
  CLI::App app("One GRPO step of a fixed shape, against the peak of this machine.");
  app.add_option("--sizes", arguments.sizes, "of the model: S, M, L")
      ->delimiter(',')
      ->transform(CLI::CheckedTransformer(sizes));
  app.add_option("--steps", arguments.steps, "timed steps")->check(CLI::Range(1, 1 << 30));
  app.add_option("--workers", arguments.workers, "threads")->check(CLI::Range(1, 1 << 30));
  const std::map<std::string, Matmul> products = {{"f32", Matmul::F32}, {"bf16", Matmul::Bf16}};
  app.add_option("--matmul", arguments.matmul, "numbers of the training's matrix products")
      ->transform(CLI::CheckedTransformer(products));
  const std::map<std::string, allot::lm::DecodeType> types = {
      {"f32", allot::lm::DecodeType::OfModel}, {"bf16", allot::lm::DecodeType::Bf16}};
  app.add_option("--rollout", arguments.rollout, "numbers that responses are sampled with")
      ->transform(CLI::CheckedTransformer(types));
  app.add_flag("--json", arguments.json, "a JSON object per size");
  return allot::bench::run_program(app, argc, argv, [&] { allot::run(arguments); });
}
