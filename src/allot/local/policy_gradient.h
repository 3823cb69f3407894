// Rows -> gradient of the policy loss through the whole model, in shards; and log-probabilities
// without gradient.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "allot/lm/forward.h"
#include "allot/lm/model.h"
#include "allot/lm/tensor.h"
#include "allot/local/train_rows.h"
#include "allot/objective/loss_sums.h"
#include "allot/objective/options.h"

namespace allot {

// The numbers that the layers' matrix products are made of (lm::Kernels).
enum class Matmul { F32, Bf16 };

struct PolicyGradientSettings {
  objective::LossOptions loss;
  double temperature = 1;
  PackSettings pack;
  int workers = 1;
  Matmul matmul = Matmul::F32;  // Bf16 needs a model that has fused kernels
  // LayerInputs needs them, too.
  lm::KeptActivations activations = lm::KeptActivations::All;
};

// |log-probability here - as sampled|, over tokens that were sampled by the current version.
struct SamplerMismatch {
  double sum = 0, max = 0, tokens = 0;
  void add(const SamplerMismatch& other);
};

struct PolicyGradient {
  std::vector<at::Tensor> gradients;  // in the order of Model::parameters()
  objective::LossSums sums;
  double entropy_sum = 0;                   // over sums.tokens, of the full distribution
  std::vector<objective::ItemRatio> items;  // by `which`
  SamplerMismatch mismatch;
  std::uint64_t positions = 0;  // run forward and backward
};

// Of the rows `which` (active ones; ascending). `omega` is the weight of one token, by `which`.
// `version`: of the weights, for the comparison with the sampler.
PolicyGradient policy_gradient(const lm::Model& model, const TrainRows& rows,
                               std::span<const std::uint32_t> which, std::span<const double> omega,
                               Version version, const PolicyGradientSettings& settings);

struct LogProbs {
  std::vector<std::vector<double>> values;  // by `which`, [tokens]
  std::uint64_t positions = 0;              // run forward
};

// Of the rows `which` (ascending), at the temperature.
LogProbs log_probs(const lm::Model& model, const TrainRows& rows,
                   std::span<const std::uint32_t> which, const PolicyGradientSettings& settings);

}  // namespace allot
