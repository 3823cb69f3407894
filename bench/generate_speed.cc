// Generation alone, by model size: wall and processor seconds, tokens per second, and the share of
// the peak of the packed matrix product, which is measured next to each row.
//
//   bench/generate_speed [--sizes S,M,L,0.5B] [--repeats 5] [--workers 1,2] [--slots 24,64]
//                        [--prompts N --group N --prompt N --new N] [--json]
//
// S, M and L are the built-in sizes in float: 64 prompts x 16 responses, prompt 16 + 48 new tokens.
// 0.5B has the shape of Qwen2 0.5B with random BF16 weights: 64 responses, prompt 64 + 64 new
// tokens. For every size it also prints what uneven lengths cost (uniform between 1 and 48 against
// even ones with the same number of tokens, prompts not shared), what the sampler takes of a step,
// and the estimated memory beside the measured one.
//
// The share counts weight products only (2 P per generated token and prefilled position, P =
// parameters that are multiplied; the head only where logits are made), not attention. Processor
// seconds stand a busy machine, wall seconds do not; the best of the repeats is printed.
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <map>
#include <string>
#include <vector>

#include "allot/lm/generation_memory.h"
#include "allot/lm/generator.h"
#include "allot/lm/instruction_set.h"
#include "allot/lm/kernels/decode_sampler.h"
#include "allot/lm/kernels/packed_gemm.h"
#include "program.h"

namespace allot::lm {
namespace {

struct Arguments {
  std::vector<std::string> sizes = {"S", "M", "L"};
  std::vector<int> workers = {1, 2}, slots = {64};
  int repeats = 5;
  int prompts = 0, group = 0, prompt = 0, fresh = 0;  // 0: those of the size
  bool json = false;
};

struct Size {
  ModelConfig config;
  at::ScalarType type;
  int prompts, group, prompt, fresh;
};

Size size_of(const std::string& name, const Arguments& arguments) {
  Size size{{}, at::kFloat, 64, 16, 16, 48};
  if (name == "M") {
    size.config = {.dim = 192, .layers = 4, .heads = 6, .kv_heads = 2, .head_dim = 32, .ffn = 512};
  } else if (name == "L") {
    size.config = {.dim = 320, .layers = 6, .heads = 10, .kv_heads = 2, .head_dim = 32, .ffn = 832};
  } else if (name == "0.5B") {
    size = {{.vocab = 151936,
             .dim = 896,
             .layers = 24,
             .heads = 14,
             .kv_heads = 2,
             .head_dim = 64,
             .ffn = 4864,
             .context = 1024,
             .rope_theta = 1e6},
            at::kBFloat16,
            64,
            1,
            64,
            64};
  }
  const auto set = [](int given, int& to) {
    if (given > 0) to = given;
  };
  set(arguments.prompts, size.prompts);
  set(arguments.group, size.group);
  set(arguments.prompt, size.prompt);
  set(arguments.fresh, size.fresh);
  return size;
}

double processor_seconds() {
  timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// The packed product of 960 x 960 matrices, operations per processor second of one thread.
template <class W>
double peak() {
  constexpr int kSize = 960, kRepeats = 3;
  const auto number = kernels::narrowed<W>(0.5f);
  std::vector<W> weight(kSize * kSize, number), a(kSize * kSize, number);
  std::vector<const W*> outputs;
  for (int j = 0; j < kSize; ++j) outputs.push_back(weight.data() + j * kSize);
  const auto packed = kernels::pack_matrix<W>(outputs, kSize);
  const int width = packed.columns();
  std::vector<kernels::Real<W>> c(static_cast<std::size_t>(kSize) * width);
  double best = 1e9;
  for (int i = 0; i < kRepeats; ++i) {
    const double start = processor_seconds();
    kernels::packed_multiply(a.data(), kSize, kSize, packed, c.data(), width);
    best = std::min(best, processor_seconds() - start);
  }
  return 2.0 * kSize * kSize * kSize / best;
}

double peak_of(at::ScalarType type) {
  return type == at::kBFloat16 ? peak<kernels::Bf16>() : peak<float>();
}

std::vector<std::int32_t> random_prompt(RandomStream& random, const Size& size) {
  std::vector<std::int32_t> prompt;
  for (int t = 0; t < size.prompt; ++t) {
    prompt.push_back(static_cast<std::int32_t>(random.below(size.config.vocab)));
  }
  return prompt;
}

std::vector<GenerationRequest> even_requests(const Size& size) {
  std::vector<GenerationRequest> requests;
  RandomStream random({.seed = 1, .use = RandomUse::Test});
  for (int p = 0; p < size.prompts; ++p) {
    GenerationRequest request;
    request.id = static_cast<std::uint64_t>(p) * size.group;
    request.n = static_cast<std::uint32_t>(size.group);
    request.prompt = random_prompt(random, size);
    request.random.prompt = static_cast<std::uint64_t>(p);
    request.max_new = static_cast<std::uint32_t>(size.fresh);
    requests.push_back(std::move(request));
  }
  return requests;
}

// One response per prompt, of the given lengths.
std::vector<GenerationRequest> requests_of(const Size& size, const std::vector<int>& lengths) {
  std::vector<GenerationRequest> requests;
  RandomStream random({.seed = 1, .use = RandomUse::Test});
  for (std::size_t p = 0; p < lengths.size(); ++p) {
    GenerationRequest request;
    request.id = p;
    request.prompt = random_prompt(random, size);
    request.random.prompt = p;
    request.max_new = static_cast<std::uint32_t>(lengths[p]);
    requests.push_back(std::move(request));
  }
  return requests;
}

struct Timing {
  double wall = 1e9, processor = 1e9;
  GenerationCost cost;
};

Timing fastest_run(Generator& generator, const std::vector<GenerationRequest>& requests,
                   int repeats) {
  Timing best;
  for (int i = 0; i < repeats; ++i) {
    const double wall = bench::now(), processor = processor_seconds();
    best.cost = generator.run(requests, [](GeneratedSequence&&) { return true; });
    best.wall = std::min(best.wall, bench::now() - wall);
    best.processor = std::min(best.processor, processor_seconds() - processor);
  }
  return best;
}

// Operations of weight products: layers for every position, the head for every sampled token.
double operations(const Model& model, const GenerationCost& cost) {
  double matrices = 0;
  for (const NamedTensor& parameter : model.parameters()) {
    if (parameter.tensor.dim() == 2) matrices += static_cast<double>(parameter.tensor.numel());
  }
  const double embedding = static_cast<double>(model.embedding.numel());
  const double layers = matrices - (model.config().tied_embedding ? 1 : 2) * embedding;
  const auto generated = static_cast<double>(cost.generated);
  return 2 * (layers * (generated + static_cast<double>(cost.prefilled)) + embedding * generated);
}

void measure_speed(const std::string& name, const Size& size, const Model& model,
                   GeneratorOptions options, const Arguments& arguments) {
  const auto requests = even_requests(size);
  Generator generator(model, options);
  const double packing = processor_seconds();
  fastest_run(generator, requests_of(size, {1}), 1);
  const double packed = processor_seconds() - packing;
  double fastest = 0;
  for (int i = 0; i < 3; ++i) fastest = std::max(fastest, peak_of(size.type));
  Timing best = fastest_run(generator, requests, arguments.repeats);
  best.processor += packed;  // packing the weights is part of a step
  best.wall += packed;
  const double rate = operations(model, best.cost) / best.processor;
  const double tokens = static_cast<double>(best.cost.generated) / best.wall;
  std::printf(arguments.json ? "{\"size\":\"%s\",\"workers\":%d,\"slots\":%d,\"wall_s\":%.4f,"
                               "\"processor_s\":%.4f,\"tokens_per_s\":%.1f,\"gflops\":%.1f,"
                               "\"peak_share\":%.3f}\n"
                             : "%5s %7d %6d %9.3f %9.3f %11.0f %9.0f %8.1f %%\n",
              name.c_str(), options.workers, options.slots, best.wall, best.processor, tokens,
              rate / 1e9, (arguments.json ? 1 : 100) * rate / fastest);
  std::fflush(stdout);
}

// The cost of a token at lengths uniform between 1 and 48, relative to even ones.
void measure_uneven(const Size& size, const Model& model, GeneratorOptions options, int repeats) {
  constexpr int kLongest = 48;
  const int count = size.prompts * size.group;
  RandomStream random({.seed = 2, .use = RandomUse::Test});
  std::vector<int> uneven, even;
  int total = 0;
  for (int i = 0; i < count; ++i) {
    uneven.push_back(1 + static_cast<int>(random.below(kLongest)));
    total += uneven.back();
  }
  for (int i = 0; i < count; ++i) even.push_back(total * (i + 1) / count - total * i / count);
  Generator generator(model, options);
  fastest_run(generator, requests_of(size, {1}), 1);
  std::vector<double> processor, wall;
  for (int i = 0; i < repeats; ++i) {
    const Timing a = fastest_run(generator, requests_of(size, uneven), 1),
                 b = fastest_run(generator, requests_of(size, even), 1);
    processor.push_back(a.processor / b.processor);
    wall.push_back(a.wall / b.wall);
  }
  std::printf("      uneven lengths (1 to %d) cost %.3f x of even ones per token (wall %.3f)\n",
              kLongest, bench::median(processor), bench::median(wall));
}

// Processor seconds of one draw from normal logits.
void measure_sampler(const Size& size) {
  RandomStream random({.seed = 3, .use = RandomUse::Test});
  std::vector<float> logits(size.config.vocab);
  for (float& x : logits) x = static_cast<float>(2 * random.normal());
  kernels::SamplerScratch<float> scratch;
  const std::map<std::string, kernels::SamplerSettings> all = {
      {"plain", {}}, {"top_k 50", {.top_k = 50}}, {"top_p .95", {.top_p = 0.95f}}};
  std::printf("      sampler, microseconds per token:");
  for (const auto& [name, settings] : all) {
    double best = 1e9;
    for (int i = 0; i < 20; ++i) {
      const double start = processor_seconds();
      kernels::sample_token(logits.data(), size.config.vocab, settings, random.uniform_at(i),
                            scratch);
      best = std::min(best, processor_seconds() - start);
    }
    std::printf("  %s %.1f", name.c_str(), 1e6 * best);
  }
  std::printf("\n");
}

void report_memory(const Size& size, GeneratorOptions options, double before) {
  const GenerationMemory memory =
      estimate_generation_memory(size.config, size.type, options,
                                 {static_cast<std::uint64_t>(size.prompts) * size.group,
                                  static_cast<std::uint32_t>(size.group), size.prompt, size.fresh});
  std::printf(
      "      memory, MB: estimate %.0f (weights %.0f, packed %.0f, caches %.0f, scratch %.0f), "
      "measured peak %.0f\n",
      memory.total() / 1e6, memory.weights / 1e6, memory.packed / 1e6, memory.caches / 1e6,
      memory.scratch / 1e6, bench::process_megabytes("VmHWM:") - before);
}

void run(const Arguments& arguments) {
  const double before = bench::process_megabytes("VmRSS:");
  if (!arguments.json) {
    std::printf("instructions: %s\n", to_string(instruction_set()).c_str());
    std::printf(" size workers  slots    wall s   proc. s    tokens/s  GFLOP/s  of peak\n");
  }
  for (const std::string& name : arguments.sizes) {
    const Size size = size_of(name, arguments);
    const Model model = Model::random(size.config, 1, size.type, at::kCPU);
    for (const int workers : arguments.workers) {
      for (const int slots : arguments.slots) {
        measure_speed(name, size, model, {workers, slots}, arguments);
      }
    }
    if (arguments.json) continue;
    const GeneratorOptions options{arguments.workers.back(), arguments.slots.back()};
    report_memory(size, options, before);
    measure_sampler(size);
    measure_uneven(size, model, options, std::min(arguments.repeats, 5));
    std::fflush(stdout);
  }
}

}  // namespace
}  // namespace allot::lm

int main(int argc, char** argv) {
  allot::lm::Arguments arguments;
  CLI::App app("Speed of generation by model size, workers and slots.");
  const auto positive = CLI::Range(1, 1 << 30);
  app.add_option("--sizes", arguments.sizes, "of the model")
      ->delimiter(',')
      ->check(CLI::IsMember({"S", "M", "L", "0.5B"}));
  app.add_option("--repeats", arguments.repeats, "runs, of which the fastest counts")
      ->check(positive);
  app.add_option("--workers", arguments.workers, "threads")->delimiter(',')->check(positive);
  app.add_option("--slots", arguments.slots, "places per worker")->delimiter(',')->check(positive);
  app.add_option("--prompts", arguments.prompts, "prompts")->check(positive);
  app.add_option("--group", arguments.group, "responses per prompt")->check(positive);
  app.add_option("--prompt", arguments.prompt, "tokens of a prompt")->check(positive);
  app.add_option("--new", arguments.fresh, "new tokens of a response")->check(positive);
  app.add_flag("--json", arguments.json, "a JSON object per row; speed only");
  return allot::bench::run_program(app, argc, argv, [&] { allot::lm::run(arguments); });
}
