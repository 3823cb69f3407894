// Generation by library operations: every device and floating type, the same tokens as the own
// kernels up to rounding.
//
// Sequences are taken in micro-batches of up to `slots`. A request's prompt is run once, also where
// its sequences fall into several micro-batches; its keys and values are then copied to the front
// of each sequence's static cache. All uniforms of a micro-batch are uploaded before it starts, and
// the host asks the device whether everything has ended only every few tokens.
#include <algorithm>

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>

#include "allot/lm/generator_backend.h"
#include "allot/lm/index_tensor.h"
#include "allot/lm/reference_decoder.h"

namespace allot::lm {
namespace {

constexpr int kTokensPerCheck = 8;  // between two questions to the device

// Sequences [first, first + count) of one request, in one micro-batch.
struct Share {
  std::size_t request = 0;
  std::uint32_t first = 0, count = 0;
};

// A request's prompt after its prefill.
struct PromptState {
  std::shared_ptr<ReferenceCache> cache;
  std::int64_t row = 0;  // in the cache
  at::Tensor logits;     // [vocab]
};

// The sequences of a micro-batch, and what the device needs to know of them.
struct MicroBatch {
  std::vector<const GenerationRequest*> requests;  // [batch]
  std::vector<std::uint32_t> index;                // [batch] of the sequence in its request
  std::int64_t longest_prompt = 0, steps = 0;
  at::Tensor first_logits;  // [batch, vocab]
  at::Tensor uniforms;      // [batch, steps]
  at::Tensor stop_tokens;   // [batch, most stop tokens], filled with -1
  at::Tensor limit, start;  // [batch] most new tokens; prompt's length

  std::int64_t size() const { return static_cast<std::int64_t>(requests.size()); }
};

// One column per token.
struct Output {
  std::vector<at::Tensor> tokens, logprobs, entropies;  // [steps so far] of [batch]
};

MicroBatch make_batch(const std::vector<GenerationRequest>& requests,
                      const std::vector<Share>& shares, const std::vector<PromptState>& prompts,
                      at::Device device) {
  MicroBatch batch;
  std::vector<at::Tensor> logits;
  std::vector<std::int32_t> limit, start;
  std::size_t stop_count = 1;
  for (const Share& share : shares) {
    const GenerationRequest& r = requests[share.request];
    for (std::uint32_t i = 0; i < share.count; ++i) {
      batch.requests.push_back(&r);
      batch.index.push_back(share.first + i);
      logits.push_back(prompts[share.request].logits);
      limit.push_back(static_cast<std::int32_t>(r.max_new));
      start.push_back(static_cast<std::int32_t>(r.prompt.size()));
    }
    batch.longest_prompt = std::max<std::int64_t>(batch.longest_prompt, r.prompt.size());
    batch.steps = std::max<std::int64_t>(batch.steps, r.max_new);
    stop_count = std::max(stop_count, r.stop_tokens.size());
  }
  std::vector<std::int32_t> stops(batch.size() * stop_count, -1);
  batch.uniforms = at::empty({batch.size(), batch.steps}, at::kFloat);
  for (std::int64_t b = 0; b < batch.size(); ++b) {
    const GenerationRequest& r = *batch.requests[b];
    std::copy(r.stop_tokens.begin(), r.stop_tokens.end(), stops.begin() + b * stop_count);
    RandomKey key = r.random;
    key.seq += batch.index[b];
    const RandomStream stream(key);
    float* row = batch.uniforms.data_ptr<float>() + b * batch.steps;
    for (std::int64_t t = 0; t < batch.steps; ++t) row[t] = stream.uniform_at(t);
  }
  batch.uniforms = batch.uniforms.to(device);
  batch.first_logits = at::stack(logits);
  batch.stop_tokens = index_tensor(stops, device).view({batch.size(), -1});
  batch.limit = index_tensor(limit, device);
  batch.start = index_tensor(start, device);
  return batch;
}

class ReferenceBackend final : public GeneratorBackend {
 public:
  ReferenceBackend(const Model& model, GeneratorOptions options)
      : model_(model), options_(options) {}

  GenerationCost run(const std::vector<GenerationRequest>& requests,
                     const std::function<bool(GeneratedSequence&&)>& finished,
                     const std::atomic<bool>* stop) override {
    const at::NoGradGuard no_grad;
    std::size_t longest = 0;
    for (const GenerationRequest& r : requests) {
      longest = std::max(longest, r.prompt.size() + r.max_new);
    }
    const ReferenceNet net(model_, static_cast<std::int64_t>(longest));
    GenerationCost cost;
    std::vector<PromptState> prompts(requests.size());
    Share next;
    for (;;) {
      const std::vector<Share> shares = take_shares(requests, next);
      if (shares.empty()) break;
      prefill(net, requests, shares, prompts, cost);
      const MicroBatch batch = make_batch(requests, shares, prompts, model_.device());
      ReferenceCache cache(model_, batch.size(), batch.longest_prompt + batch.steps);
      copy_prompts(requests, shares, prompts, cache);
      for (std::size_t r = 0; r < next.request; ++r) prompts[r] = {};
      Output output;
      if (!decode(net, batch, cache, stop, output)) {
        cost.generated += output.tokens.size() * batch.size();
        break;
      }
      if (!deliver(batch, output, finished, cost)) break;
    }
    return cost;
  }

  void weights_changed() override {}

 private:
  // The next sequences, at most `slots`; `next` is moved on.
  std::vector<Share> take_shares(const std::vector<GenerationRequest>& requests,
                                 Share& next) const {
    std::vector<Share> shares;
    auto room = static_cast<std::uint32_t>(options_.slots);
    while (next.request < requests.size() && room > 0) {
      const std::uint32_t left = requests[next.request].n - next.first;
      const std::uint32_t count = std::min(room, left);
      if (count > 0) shares.push_back({next.request, next.first, count});
      room -= count;
      next.first += count;
      if (count == left) next = {next.request + 1, 0, 0};
    }
    return shares;
  }

  // Runs the prompts that have not been run yet, as one padded batch.
  void prefill(const ReferenceNet& net, const std::vector<GenerationRequest>& requests,
               const std::vector<Share>& shares, std::vector<PromptState>& prompts,
               GenerationCost& cost) const {
    std::vector<std::size_t> fresh;
    std::int64_t longest = 0;
    for (const Share& share : shares) {
      if (prompts[share.request].cache) continue;
      fresh.push_back(share.request);
      longest = std::max<std::int64_t>(longest, requests[share.request].prompt.size());
      cost.prefilled += requests[share.request].prompt.size();
    }
    if (fresh.empty()) return;
    const auto batch = static_cast<std::int64_t>(fresh.size());
    std::vector<std::int32_t> tokens(batch * longest), last(batch);
    for (std::int64_t b = 0; b < batch; ++b) {
      const auto& prompt = requests[fresh[b]].prompt;
      std::copy(prompt.begin(), prompt.end(), tokens.begin() + b * longest);
      last[b] = static_cast<std::int32_t>(b * longest + prompt.size() - 1);
    }
    const auto cache = std::make_shared<ReferenceCache>(model_, batch, longest);
    const at::Tensor ids = index_tensor(tokens, model_.device()).view({batch, longest});
    const at::Tensor positions = at::arange(longest, ids.options()).expand({batch, longest});
    const at::Tensor hidden =
        net.forward(ids, positions, longest, *cache).reshape({batch * longest, -1});
    const at::Tensor logits =
        net.logits(hidden.index_select(0, index_tensor(last, model_.device())));
    for (std::int64_t b = 0; b < batch; ++b) prompts[fresh[b]] = {cache, b, logits.select(0, b)};
  }

  // Keys and values of each prompt to the front of its sequences.
  void copy_prompts(const std::vector<GenerationRequest>& requests,
                    const std::vector<Share>& shares, const std::vector<PromptState>& prompts,
                    ReferenceCache& cache) const {
    std::int64_t first = 0;
    for (const Share& share : shares) {
      const PromptState& prompt = prompts[share.request];
      const auto length = static_cast<std::int64_t>(requests[share.request].prompt.size());
      const auto copy = [&](const at::Tensor& from, at::Tensor& to) {
        to.narrow(0, first, share.count)
            .narrow(1, 0, length)
            .copy_(from.narrow(0, prompt.row, 1).narrow(1, 0, length));
      };
      for (std::size_t l = 0; l < cache.keys.size(); ++l) {
        copy(prompt.cache->keys[l], cache.keys[l]);
        copy(prompt.cache->values[l], cache.values[l]);
      }
      first += share.count;
    }
  }

  // Generates until all sequences ended; false: stopped before.
  bool decode(const ReferenceNet& net, const MicroBatch& batch, ReferenceCache& cache,
              const std::atomic<bool>* stop, Output& output) const {
    at::Tensor logits = batch.first_logits;
    const BatchSampler sampler(batch.requests, logits.scalar_type(), model_.device());
    at::Tensor ended = at::zeros({batch.size()}, batch.limit.options().dtype(at::kBool));
    at::Tensor finite = at::isfinite(logits).all();
    for (std::int64_t t = 0; t < batch.steps; ++t) {
      if (t > 0) {
        const at::Tensor hidden =
            net.forward(output.tokens.back().unsqueeze(1), (batch.start + (t - 1)).unsqueeze(1),
                        batch.longest_prompt + t, cache);
        logits = net.logits(hidden.squeeze(1));
        finite = finite.logical_and(at::isfinite(logits).all());
      }
      const BatchSampler::Drawn drawn = sampler.draw(logits, batch.uniforms.select(1, t));
      output.tokens.push_back(drawn.token);
      output.logprobs.push_back(drawn.logprob);
      output.entropies.push_back(drawn.entropy);
      ended = ended.logical_or((drawn.token.unsqueeze(1) == batch.stop_tokens).any(1))
                  .logical_or(batch.limit <= t + 1);
      if ((t + 1) % kTokensPerCheck == 0) {
        if (stop && stop->load(std::memory_order_relaxed)) return false;
        if (ended.all().item<bool>()) break;
      }
    }
    if (!finite.item<bool>()) {
      throw_not_finite(batch.requests[0]->id + batch.index[0], output.tokens.size() - 1);
    }
    return true;
  }

  // Cuts every sequence at its end and hands it out; false: stop.
  bool deliver(const MicroBatch& batch, const Output& output,
               const std::function<bool(GeneratedSequence&&)>& finished,
               GenerationCost& cost) const {
    const auto host = [](const std::vector<at::Tensor>& columns, at::ScalarType type) {
      return at::stack(columns, 1).to(at::kCPU).to(type).contiguous();
    };
    const at::Tensor tokens = host(output.tokens, at::kLong);
    const at::Tensor logprobs = host(output.logprobs, at::kFloat);
    const at::Tensor entropies = host(output.entropies, at::kDouble);
    const std::int64_t width = tokens.size(1);
    bool go_on = true;
    for (std::int64_t b = 0; b < batch.size(); ++b) {
      const GenerationRequest& r = *batch.requests[b];
      GeneratedSequence sequence;
      sequence.id = r.id + batch.index[b];
      double entropy = 0;
      bool stopped = false;
      for (std::int64_t t = 0; t < std::min<std::int64_t>(width, r.max_new) && !stopped; ++t) {
        const auto token =
            static_cast<std::int32_t>(tokens.const_data_ptr<std::int64_t>()[b * width + t]);
        sequence.tokens.push_back(token);
        sequence.logprob.push_back(logprobs.const_data_ptr<float>()[b * width + t]);
        entropy += entropies.const_data_ptr<double>()[b * width + t];
        stopped =
            std::find(r.stop_tokens.begin(), r.stop_tokens.end(), token) != r.stop_tokens.end();
      }
      sequence.truncated = !stopped;
      sequence.mean_entropy =
          static_cast<float>(entropy / static_cast<double>(sequence.tokens.size()));
      cost.generated += sequence.tokens.size();
      go_on = go_on && finished(std::move(sequence));
    }
    return go_on;
  }

  Model model_;
  GeneratorOptions options_;
};

}  // namespace

std::unique_ptr<GeneratorBackend> make_reference_backend(const Model& model,
                                                         GeneratorOptions options) {
  return std::make_unique<ReferenceBackend>(model, options);
}

}  // namespace allot::lm
