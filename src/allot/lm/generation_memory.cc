#include "allot/lm/generation_memory.h"

#include <algorithm>
#include <utility>

#include "allot/core/error.h"
#include "allot/lm/decode_plan.h"
#include "allot/lm/decode_state.h"

namespace allot::lm {
namespace {

using namespace kernels;

template <class W>
GenerationMemory estimate(const ModelConfig& config, const GeneratorOptions& options,
                          const GenerationShape& shape) {
  using T = Real<W>;
  GenerationMemory memory;
  memory.weights = static_cast<std::size_t>(config.parameter_count()) * sizeof(W);
  memory.packed = packed_bytes<W>(config);
  const DecodePlan plan = plan_decoding(options, shape.sequences, memory.packed);
  const auto places =
      std::min<std::size_t>(static_cast<std::size_t>(plan.workers) * plan.slots, shape.sequences);
  // Prompts that have running sequences; at the ends of a worker's share one more may be open.
  const std::size_t group = std::max<std::uint32_t>(shape.group, 1);
  const std::size_t prompts = std::min<std::size_t>((places + group - 1) / group + plan.workers - 1,
                                                    (shape.sequences + group - 1) / group);
  memory.caches = places * KeyValueCache<T>::bytes(config, shape.new_tokens) +
                  prompts * KeyValueCache<T>::bytes(config, shape.prompt);
  memory.scratch = plan.workers * DecodeScratch<W>::bytes(config, plan.rows(), plan.slots) +
                   prompts * config.vocab * sizeof(T);
  return memory;
}

}  // namespace

GenerationMemory estimate_generation_memory(const ModelConfig& config, at::ScalarType type,
                                            const GeneratorOptions& options,
                                            const GenerationShape& shape) {
  if (options.type == DecodeType::Bf16 && type != at::kBFloat16) {
    GenerationMemory memory = estimate<Bf16>(config, options, shape);
    memory.rounded = std::exchange(
        memory.weights, static_cast<std::size_t>(config.parameter_count()) * at::elementSize(type));
    return memory;
  }
  switch (type) {
    case at::kFloat:
      return estimate<float>(config, options, shape);
    case at::kDouble:
      return estimate<double>(config, options, shape);
    case at::kBFloat16:
      return estimate<Bf16>(config, options, shape);
    default:
      throw Error(
          ErrorKind::Config, "lm.generation_memory",
          concat("the type ", at::toString(type), " was given; float, double or BF16 is needed"));
  }
}

}  // namespace allot::lm
