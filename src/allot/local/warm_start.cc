#include "allot/local/warm_start.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <numeric>
#include <vector>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/full_like.h>

#include "allot/core/error.h"
#include "allot/core/random.h"
#include "allot/lm/forward.h"
#include "allot/local/adamw.h"
#include "allot/local/packing.h"
#include "allot/local/shards.h"

namespace allot {
namespace {

constexpr std::size_t kLastSteps = 10;  // whose losses WarmStartResult::last_loss averages

struct Example {
  std::vector<std::int32_t> prompt, response;
};

std::vector<Example> examples_of(const Tokenizer& tokenizer, const PromptSource& prompts,
                                 std::span<const PromptId> ids, int context) {
  std::vector<Example> out;
  for (const PromptId id : ids) {
    const Prompt& prompt = prompts.get(id);
    if (prompt.demonstration.empty()) continue;
    Example example{tokenizer.encode(prompt.text), tokenizer.encode(prompt.demonstration)};
    example.response.push_back(tokenizer.end_token());
    if (example.prompt.empty())
      throw Error(ErrorKind::Data, "warm start",
                  concat("prompt ", prompt.key, " has no tokens; at least one is needed"));
    const std::size_t length = example.prompt.size() + example.response.size() - 1;
    if (length > static_cast<std::size_t>(context))
      throw Error(ErrorKind::Data, "warm start",
                  concat("prompt ", prompt.key, " and its demonstration need ", length,
                         " positions; the model's context has ", context));
    out.push_back(std::move(example));
  }
  if (out.empty())
    throw Error(ErrorKind::Data, "warm start", "no prompt has a demonstration; one is needed",
                "set warm_start.steps to 0 for a task without demonstrations");
  return out;
}

// Endless order of examples: one keyed permutation after the other.
class ExampleOrder {
 public:
  ExampleOrder(std::size_t size, std::uint64_t seed) : order_(size), seed_(seed) { shuffle(); }

  std::size_t next() {
    if (at_ == order_.size()) {
      epoch_ += 1;
      at_ = 0;
      shuffle();
    }
    return order_[at_++];
  }

 private:
  void shuffle() {
    std::iota(order_.begin(), order_.end(), 0);
    RandomStream random({.seed = seed_, .use = RandomUse::WarmStart, .step = epoch_});
    random.shuffle(std::span<std::size_t>(order_));
  }

  std::vector<std::size_t> order_;
  std::uint64_t seed_, epoch_ = 0;
  std::size_t at_ = 0;
};

struct StepLoss {
  std::vector<at::Tensor> gradients;
  double loss = 0;  // nats per token
  std::uint64_t positions = 0;
};

StepLoss cross_entropy(const lm::Model& model, const std::vector<const Example*>& batch,
                       const WarmStartWork& work) {
  std::vector<PackGroup> groups;
  double tokens = 0;
  for (std::uint32_t i = 0; i < batch.size(); ++i) {
    groups.push_back({batch[i]->prompt, {batch[i]->response}, {i}});
    tokens += static_cast<double>(batch[i]->response.size());
  }
  const auto shards = pack(groups, {work.micro_rollouts, work.shards});
  const lm::Kernels kernels =
      lm::has_fused_kernels(model) ? lm::Kernels::Fused : lm::Kernels::Reference;
  std::vector<double> loss(shards.size(), 0);
  StepLoss out;
  out.gradients =
      summed_gradients(model, static_cast<int>(shards.size()), workers_for(model, work.workers),
                       [&](const lm::Model& view, int shard) {
                         const auto s = static_cast<std::size_t>(shard);
                         for (const MicroBatch& micro : shards[s]) {
                           const at::Tensor hidden = lm::hidden_states(view, micro.rows, kernels);
                           const at::Tensor logprob =
                               lm::score_targets(view, hidden, micro.rows, 1.0, kernels).logprob;
                           logprob.backward(at::full_like(logprob.detach(), -1 / tokens));
                           loss[s] -= logprob.detach().sum(at::kDouble).item<double>() / tokens;
                         }
                       });
  out.loss = std::accumulate(loss.begin(), loss.end(), 0.0);
  for (const auto& shard : shards)
    for (const MicroBatch& micro : shard)
      out.positions += static_cast<std::uint64_t>(micro.rows.rows());
  return out;
}

OptimOptions optim_of(const WarmStartOptions& options) {
  OptimOptions optim;
  optim.lr = options.lr;
  optim.schedule = Schedule::Cosine;
  optim.warmup_steps = options.warmup_steps;
  optim.schedule_steps = static_cast<std::uint64_t>(options.steps);
  optim.weight_decay = options.weight_decay;
  optim.max_grad_norm = options.max_grad_norm;
  return optim;
}

std::span<const PromptId> easiest_share(std::span<const PromptId> ids, double share) {
  return ids.first(static_cast<std::size_t>(std::ceil(share * static_cast<double>(ids.size()))));
}

}  // namespace

WarmStartResult warm_start(const lm::Model& model, const Tokenizer& tokenizer,
                           const PromptSource& prompts, std::span<const PromptId> ids,
                           const WarmStartOptions& options, const WarmStartWork& work,
                           const std::function<void(const WarmStartProgress&)>& progress,
                           const std::atomic<bool>* stop) {
  WarmStartResult result;
  if (options.steps == 0) return result;
  use_one_thread();
  const std::vector<Example> examples =
      examples_of(tokenizer, prompts, easiest_share(ids, options.easiest), model.config().context);
  const OptimOptions optim = optim_of(options);
  ExampleOrder order(examples.size(), options.seed);
  AdamW adamw(model.parameters(), optim);
  std::deque<double> last;
  for (std::uint64_t step = 0; step < static_cast<std::uint64_t>(options.steps); ++step) {
    if (stop && stop->load()) {
      result.complete = false;
      break;
    }
    std::vector<const Example*> batch;
    for (int i = 0; i < options.batch; ++i) batch.push_back(&examples[order.next()]);
    StepLoss found = cross_entropy(model, batch, work);
    const double norm = clip_gradients(found.gradients, optim.max_grad_norm);
    if (!std::isfinite(found.loss) || !std::isfinite(norm))
      throw Error(ErrorKind::Model, "warm start",
                  concat("step ", step, ": loss ", found.loss, ", gradient norm ", norm,
                         "; finite ones are needed"),
                  "a smaller warm_start.lr");
    adamw.update(found.gradients, learning_rate(optim, step));
    if (step == 0) result.first_loss = found.loss;
    last.push_back(found.loss);
    if (last.size() > kLastSteps) last.pop_front();
    result.steps = step + 1;
    result.positions += found.positions;
    if (progress)
      progress(
          {result.steps, static_cast<std::uint64_t>(options.steps), result.positions, found.loss});
    result.last_loss =
        std::accumulate(last.begin(), last.end(), 0.0) / static_cast<double>(last.size());
    if (last.size() == kLastSteps && result.last_loss < options.until_loss) break;
  }
  return result;
}

}  // namespace allot
