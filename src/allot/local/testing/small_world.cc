#include "allot/local/testing/small_world.h"

#include <algorithm>

namespace allot::testing {
namespace {

constexpr const char* kLetters = "abcdefghijklmnop";

lm::ModelConfig small_shape(int vocab) {
  lm::ModelConfig shape;
  shape.vocab = vocab;
  shape.dim = 16;
  shape.layers = 2;
  shape.heads = 2;
  shape.kv_heads = 1;
  shape.head_dim = 8;
  shape.ffn = 24;
  shape.context = 24;
  return shape;
}

// Normal weights of sd 0.3: large enough that every part of the model matters.
lm::Model lively_model(int vocab, at::ScalarType type, std::uint64_t seed) {
  lm::Model model = lm::Model::random(small_shape(vocab), seed, at::kDouble, at::kCPU);
  RandomStream random({seed, RandomUse::Test, 17});
  for (const lm::NamedTensor& parameter : model.parameters()) {
    double* values = parameter.tensor.data_ptr<double>();
    for (std::int64_t i = 0; i < parameter.tensor.numel(); ++i) values[i] += 0.3 * random.normal();
  }
  lm::Model out = lm::Model::random(small_shape(vocab), seed, type, at::kCPU);
  out.copy_from(model);
  return out;
}

}  // namespace

LetterPrompts::LetterPrompts(std::size_t size, std::uint64_t seed) {
  RandomStream random({seed, RandomUse::Test, 3});
  for (PromptId id = 100; id < 100 + size; ++id) {
    Prompt prompt;
    prompt.id = id;
    prompt.key = "p" + std::to_string(id);
    for (std::uint64_t n = 1 + random.below(6); n > 0; --n)
      prompt.text += kLetters[random.below(16)];
    prompt.demonstration.assign(prompt.text.rbegin(), prompt.text.rend());
    prompt.answer = prompt.demonstration;
    prompts_[id] = prompt;
    refs_.push_back({id, 0, {}});
  }
}

std::span<const PromptRef> LetterPrompts::candidates(std::size_t wanted, Draw) {
  return std::span<const PromptRef>(refs_).first(std::min(wanted, refs_.size()));
}

std::vector<PromptId> LetterPrompts::ids() const {
  std::vector<PromptId> out;
  for (const auto& [id, prompt] : prompts_) out.push_back(id);
  return out;
}

SmallWorld::SmallWorld(at::ScalarType type, std::uint64_t seed)
    : tokenizer(kLetters), prompts(40, seed), model(lively_model(tokenizer.size(), type, seed)) {}

TrainBatch SmallWorld::batch(const BatchSpec& spec, RolloutStore& store, std::uint64_t seed) const {
  RandomStream random({seed, RandomUse::Test, 5});
  TrainBatch batch;
  batch.norm = spec.norm;
  batch.fixed = spec.fixed;
  batch.length_divisor = spec.length_divisor;
  PromptId prompt = 100;
  for (const std::uint32_t size : spec.group_sizes) {
    TrainGroup group;
    group.prompt = prompt++;
    group.first = static_cast<std::uint32_t>(batch.items.size());
    group.count = size;
    batch.groups.push_back(group);
    for (std::uint32_t i = 0; i < size; ++i) {
      Rollout rollout;
      rollout.id = 1000 + batch.items.size();
      rollout.prompt = group.prompt;
      for (std::uint64_t n = 1 + random.below(9); n > 0; --n) {
        rollout.tokens.push_back(
            static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(tokenizer.size()))));
        rollout.logp.push_back(static_cast<float>(-3 + spec.behaviour_noise * random.normal()));
      }
      Score score;
      score.reward = i % 2 == 0 ? 1 : 0;
      TrainItem item;
      item.rollout = rollout.id;
      item.advantage = static_cast<float>(random.normal());
      item.weight = static_cast<float>(0.5 + random.uniform());
      const std::size_t number = batch.items.size();
      if (spec.zero_advantages && number % 5 == 4) item.advantage = 0;
      if (spec.behaviour_anchors && number % 3 == 2) item.anchor = Anchor::Behaviour;
      batch.items.push_back(item);
      store.add(std::move(rollout), std::move(score), 0);
    }
  }
  return batch;
}

std::vector<double> weights_of(const lm::Model& model) {
  std::vector<double> out;
  for (const lm::NamedTensor& parameter : model.parameters()) {
    const at::Tensor flat = parameter.tensor.detach().to(at::kDouble).contiguous();
    const double* values = flat.const_data_ptr<double>();
    out.insert(out.end(), values, values + flat.numel());
  }
  return out;
}

}  // namespace allot::testing
