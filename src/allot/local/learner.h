// The learner of this machine: packed rows, the policy loss, AdamW.
//
// update() makes train.updates_per_rollout passes over the batch, each in mini-batches of whole
// groups; every mini-batch is one optimizer update, normalised over itself. A mini-batch is cut
// into micro-batches (memory) and these into train.shards, whose gradients are summed in fixed
// order: results do not depend on the number of workers, nor, up to rounding, on the cuts.
//
// The loss is objective/'s, in double precision: the learner hands it what the policies say of each
// token and runs its derivatives back (policy_gradient.h). It computes of other policies what
// objective::requirements() names and nothing else. The old policy's log-probabilities (contract,
// section 3): with a single update the current ones themselves, detached; with more, the stored
// ones where they are exact and of the current version, else those of one forward pass.
//
// Rows whose advantage or weight is 0 count in all denominators and are computed only where the
// loss has a term for them (KL, entropy) or its masks look at the whole step. A mini-batch without
// a row to train makes no update: momentum and decay would move weights otherwise.
//
// Groups that the batch asks to probe are computed once more in halves before the first update.
//
// Not thread-safe; worker threads live inside a call only.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "allot/core/options.h"
#include "allot/core/scalar_advantages.h"
#include "allot/lm/lora.h"
#include "allot/lm/model.h"
#include "allot/local/adamw.h"
#include "allot/local/policy_gradient.h"
#include "allot/loop/learner.h"
#include "allot/loop/prompt_source.h"
#include "allot/objective/options.h"
#include "allot/text/tokenizer.h"

namespace allot {

struct LearnerOptions {
  int updates_per_rollout = 1;
  int minibatch_rows = 0;   // 0: one mini-batch
  int micro_rollouts = 32;  // responses packed together
  int micro_tokens = 0;     // positions packed together; 0: no limit
  int shards = 2;
  int workers = 2;
  // Bf16 makes the layers' matrix products of rounded factors (sums, weights, gradients and moments
  // stay as they are): faster where the processor multiplies BF16 numbers and the model is large,
  // no gain for the built-in sizes S and M. It needs a float model on the CPU.
  Matmul matmul = Matmul::F32;
  // LayerInputs needs the same.
  lm::KeptActivations activations = lm::KeptActivations::All;

  template <class V>
  void fields(V& v);
};

// What belongs to a model beside the weights in F32 that are trained.
struct ModelParts {
  // Trained instead of the weights, which it is merged into. Must be an adapter of the model.
  std::shared_ptr<lm::LoraAdapter> adapter;
  // A rounded copy of the weights, which follows every update. Gradients are computed with it where
  // the model has no fused kernels.
  std::optional<lm::Model> rounded;
};

// Facts about the sampler that decide where anchors come from.
struct SamplerFacts {
  double temperature = 1;       // that log-probabilities were taken at; > 0
  bool exact_logprobs = false;  // EngineTraits::exact_logprobs, and nothing truncates sampling
};

// What some losses need beside the model.
struct LossParts {
  // Frozen, for a KL or flow_balance; the learner keeps it as it is.
  std::optional<lm::Model> reference = std::nullopt;
  // The model that samples, where it is not the trained one; its weights may change between
  // updates. Masks by lists of likely tokens score with it.
  std::optional<lm::Model> sampler = std::nullopt;
  // Advantages of a batch from its rewards, instead of the method's: for KL in the reward and
  // estimators that methods have not.
  std::optional<ScalarEstimator> estimator = std::nullopt;
  std::uint64_t seed = 0;  // of the loss's own random numbers
};

class LocalLearner final : public Learner {
 public:
  // Shares the storage of `model` and changes it in place. `tokenizer` and `prompts` (for the text
  // of a batch's prompts) must outlive the learner. Throws Error(Config), also for a part that the
  // loss needs and `parts` has not.
  LocalLearner(const lm::Model& model, const Tokenizer& tokenizer, const PromptSource& prompts,
               LearnerOptions options, OptimOptions optim, objective::LossOptions loss,
               SamplerFacts sampler = {}, ModelParts parts = {}, LossParts loss_parts = {});
  ~LocalLearner() override;

  // The step that the next update belongs to, for the learning rate. Without a call, updates count.
  void begin_step(std::uint64_t step);

  // Throws Error(Internal) for a batch that breaks the contract or holds numbers that are not
  // finite, Error(Data) for a rollout beyond the context, Error(Model) for a loss or gradient that
  // is not finite. The weights are those before the failed optimizer update.
  Feedback update(const TrainBatch& batch, const RolloutStore& store) override;

  Version version() const override;
  LearnerCost cost() const override;
  // Those of objective::loss_metrics() and objective::TermSums (mask/*, mismatch/{k1,k3,
  // chi_square}), optim/{grad_norm,lr}, mismatch/{logp_diff_mean,logp_diff_max,ratio_min,
  // ratio_mean,ratio_max,ess}, loss/entropy_coef where it adapts, train/{positions,
  // anchor_positions}, and of an estimator reward/* and group/*. Of several updates: loss and norm
  // are means over updates, all else over tokens. Absent where it does not apply.
  std::vector<Metric> metrics() const override;

  // Weights, moments and counters: model.safetensors (or shards), config.json,
  // optimizer.safetensors, learner.bin, log_partition.safetensors of flow_balance, curvature.bin of
  // losses that model Adam's steps; instead of the weights the adapter's two files where one is
  // trained. Continuing after load() gives the same
  // bits (float models).
  void save(const std::string& folder) const;
  // Throws Error(Model) for a missing or damaged file or another shape; nothing changes then.
  void load(const std::string& folder);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

template <class V>
void LearnerOptions::fields(V& v) {
  v("updates_per_rollout", updates_per_rollout, Range{1, 1024},
    "passes over the rollouts of a step; each is one optimizer update, or one per mini-batch");
  v("minibatch_rows", minibatch_rows, Range{0, 1e9},
    "rollouts per optimizer update, in whole groups (at least one); 0 = all of the step");
  v("micro_rollouts", micro_rollouts, Range{1, 65536},
    "rollouts computed together; bounds memory, changes results by rounding only");
  v("micro_tokens", micro_tokens, Range{0, 1e9},
    "positions (prompts and responses) computed together, where one response does not have more; 0 "
    "= no limit beside train.micro_rollouts. Bounds memory where lengths differ");
  v("shards", shards, Range{1, 256},
    "parts whose gradients are summed in fixed order; the same number gives the same bits");
  v("workers", workers, Range{1, 256}, "threads that compute the shards; changes no bit");
  v("matmul", matmul, Choices<Matmul>{{"f32", Matmul::F32}, {"bf16", Matmul::Bf16}},
    "numbers that the layers' matrix products are made of; bf16 rounds, and pays in large models");
  v("activations", activations,
    Choices<lm::KeptActivations>{{"keep", lm::KeptActivations::All},
                                 {"recompute", lm::KeptActivations::LayerInputs}},
    "recompute keeps only what each layer begins with and computes the rest again for the "
    "gradient: "
    "a forward pass more, much less memory, the same bits");
}

}  // namespace allot
