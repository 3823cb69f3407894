#include "allot/app/memory_check.h"

#include <algorithm>
#include <fstream>
#include <limits>

#include "allot/app/check_data.h"
#include "allot/core/error.h"
#include "allot/lm/generation_memory.h"
#include "allot/local/training_memory.h"
#include "allot/objective/requirements.h"
#include "allot/objective/step_terms.h"

namespace allot {
namespace {

constexpr std::uint64_t kDouble = 8, kFloat = 4, kHalf = 2;

std::string megabytes(std::uint64_t bytes) { return concat(bytes / 1'000'000, " MB"); }

// The number in a file; `otherwise` where there is none ("max" in a file of limits).
std::uint64_t number_in(const char* file, std::uint64_t otherwise) {
  std::ifstream in(file);
  std::uint64_t value = 0;
  return in >> value ? value : otherwise;
}

std::uint64_t free_memory_of_system() {
  std::ifstream in("/proc/meminfo");
  std::string word;
  while (in >> word) {
    std::uint64_t kilobytes = 0;
    if (word == "MemAvailable:" && in >> kilobytes) return kilobytes * 1024;
  }
  return 0;
}

int group_of(const RunConfig& config) { return std::max(1, config.alloc.group_size); }

// Responses of a micro-batch; prompts of whole groups are computed once each.
TrainingMemory training_memory_of(const RunConfig& config, const lm::ModelConfig& model,
                                  const RunShape& shape) {
  const LearnerOptions& learner = config.learner;
  const auto responses = static_cast<std::int64_t>(
      std::min<std::uint64_t>(static_cast<std::uint64_t>(learner.micro_rollouts),
                              std::max<std::uint64_t>(1, shape.rollouts)));
  const std::int64_t prompts = (responses + group_of(config) - 1) / group_of(config);
  std::int64_t rows = responses * shape.longest_response + prompts * shape.longest_prompt;
  const std::int64_t one = std::int64_t{shape.longest_prompt} + shape.longest_response;
  if (learner.micro_tokens > 0)
    rows = std::min(rows, std::max<std::int64_t>(learner.micro_tokens, one));
  return training_memory(model, {rows, learner.shards, std::min(learner.workers, learner.shards),
                                 learner.activations});
}

}  // namespace

RunShape run_shape(const RunConfig& config, const Task& task, const Tokenizer& tokenizer) {
  RunShape shape;
  task.train->list().each([&](const Prompt& prompt) {
    shape.longest_prompt =
        std::max(shape.longest_prompt, static_cast<int>(tokenizer.encode(prompt.text).size()));
  });
  const std::uint32_t response = response_limit(config, task);
  shape.longest_response = static_cast<int>(response);
  shape.rollouts =
      step_budget(config.alloc, static_cast<std::uint32_t>(config.train.prompts_per_step), response,
                  static_cast<std::uint64_t>(config.train.max_steps))
          .rollouts;
  return shape;
}

RunMemory run_memory(const RunConfig& config, const lm::ModelConfig& model, const RunShape& shape) {
  const auto parameters = static_cast<std::uint64_t>(model.parameter_count());
  const bool rounded = config.model.dtype == WeightType::Bf16;
  RunMemory out;
  std::uint64_t hidden = 0;  // states of all tokens of an update
  out.weights = parameters * (kFloat + (rounded ? kHalf : 0));
  out.moments = 2 * kFloat * parameters;
  if (config.model.lora.r > 0) {
    const lm::LoraSize size =
        lm::lora_size(model, {.r = config.model.lora.r, .targets = config.model.lora.targets});
    out.weights += kFloat * static_cast<std::uint64_t>(size.targets + size.trained);
    out.moments = 2 * kFloat * static_cast<std::uint64_t>(size.trained);
  }
  if (objective::keeps_curvature_moments(config.loss)) {
    const auto dim = static_cast<std::uint64_t>(model.dim);
    // At most: of the tokens that have been likely at all.
    out.moments += 2 * kFloat * static_cast<std::uint64_t>(model.vocab) * dim;
    hidden = kDouble * dim * shape.rollouts * static_cast<std::uint64_t>(shape.longest_response);
  }
  // Frozen copies: a reference policy, a stale sampler.
  if (objective::requirements(config.loss).reference) out.weights += parameters * kFloat;
  if (config.sampler.refresh_every > 1) out.weights += parameters * (rounded ? kHalf : kFloat);
  const TrainingMemory training = training_memory_of(config, model, shape);
  out.gradients = static_cast<std::uint64_t>(training.gradients);
  out.activations = static_cast<std::uint64_t>(training.activations + training.scratch) + hidden;
  if (config.sampler.engine != EngineKind::Local) return out;
  const lm::GenerationMemory generation = lm::estimate_generation_memory(
      model, rounded ? at::kBFloat16 : at::kFloat,
      {config.engine.workers, config.engine.slots, config.engine.dtype},
      {std::max<std::uint64_t>(1, shape.rollouts), static_cast<std::uint32_t>(group_of(config)),
       std::max(1, shape.longest_prompt), std::max(1, shape.longest_response)});
  out.weights += generation.rounded;
  out.packed = generation.packed;
  out.caches = generation.caches + generation.scratch;
  return out;
}

std::uint64_t available_memory() {
  const std::uint64_t system = free_memory_of_system();
  constexpr std::uint64_t kNone = std::numeric_limits<std::uint64_t>::max();
  const std::uint64_t limit = number_in("/sys/fs/cgroup/memory.max", kNone);
  const std::uint64_t used = number_in("/sys/fs/cgroup/memory.current", 0);
  return limit == kNone ? system : std::min(system, limit > used ? limit - used : 0);
}

std::string to_string(const RunMemory& m) {
  return concat("weights ", megabytes(m.weights), " + optimizer ", megabytes(m.moments),
                " + packed weights ", megabytes(m.packed), " + the larger of gradients ",
                megabytes(m.gradients), " and activations ", megabytes(m.activations),
                ", or generation ", megabytes(m.caches), " = ", megabytes(m.total()));
}

void check_fits(const RunConfig& config, const Task& task, const Tokenizer& tokenizer) {
  if (config.model.device != ModelDevice::Cpu) return;
  const RunMemory memory = run_memory(config, model_shape(config.model, tokenizer.size()),
                                      run_shape(config, task, tokenizer));
  const std::uint64_t available = available_memory();
  if (available == 0 || memory.total() <= available) return;
  throw Error(ErrorKind::Model, "memory",
              concat("the run needs up to ", megabytes(memory.total()), " (", to_string(memory),
                     "), and ", megabytes(available), " are available"),
              "train.activations: recompute, train.micro_tokens, train.micro_rollouts, "
              "train.shards, train.workers, "
              "rollout.slots, "
              "rollout.max_new_tokens and model.dtype: bf16 lower it; model.lora.r drops most of "
              "the optimizer's part");
}

}  // namespace allot
