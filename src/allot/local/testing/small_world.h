// A small model with prompts and rollouts that nobody generated, for tests of the learner.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "allot/core/random.h"
#include "allot/lm/model.h"
#include "allot/loop/prompt_source.h"
#include "allot/loop/rollout_store.h"
#include "allot/text/char_tokenizer.h"

namespace allot::testing {

// Prompts of 1 to 6 letters, ids 100, 101, ...; their demonstration is the text reversed.
class LetterPrompts final : public PromptSource {
 public:
  LetterPrompts(std::size_t size, std::uint64_t seed);
  std::span<const PromptRef> candidates(std::size_t wanted, Draw draw) override;
  void begin_step(std::uint64_t) override {}
  const Prompt& get(PromptId id) const override { return prompts_.at(id); }
  std::size_t size() const override { return prompts_.size(); }
  std::string save() const override { return {}; }
  void load(std::string_view) override {}
  std::uint64_t hash() const override { return prompts_.size(); }
  std::vector<PromptId> ids() const;
  void weigh(PromptId id, float weight) { prompts_.at(id).weight = weight; }

 private:
  std::map<PromptId, Prompt> prompts_;
  std::vector<PromptRef> refs_;
};

// How the rollouts of a batch look.
struct BatchSpec {
  std::vector<std::uint32_t> group_sizes = {4, 1, 7, 2};
  Norm norm = Norm::PerGroup;
  double fixed = 0, length_divisor = 0;
  double behaviour_noise = 0.3;   // sd of stored log-probabilities around -1
  bool behaviour_anchors = true;  // of every third item
  bool zero_advantages = true;    // of every fifth item
};

struct SmallWorld {
  explicit SmallWorld(at::ScalarType type = at::kFloat, std::uint64_t seed = 1);

  // Responses of 1 to 9 tokens, distinct prompts per group; fills `store`.
  TrainBatch batch(const BatchSpec& spec, RolloutStore& store, std::uint64_t seed = 7) const;

  CharTokenizer tokenizer;
  LetterPrompts prompts;
  lm::Model model;
};

// All weights one after the other, as doubles.
std::vector<double> weights_of(const lm::Model& model);

}  // namespace allot::testing
