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

// The policy here against the one that sampled, over tokens that were sampled by the current
// version: where both compute alike, differences are 0 and ratios 1.
struct SamplerMismatch {
  double tokens = 0;
  double sum = 0, max = 0;  // |log-probability here - as sampled|
  double ratio_sum = 0, ratio_squares = 0, ratio_min = 0, ratio_max = 0;  // of probabilities

  void add_token(double here, double sampled);
  void add(const SamplerMismatch& other);
  // mismatch/{logp_diff_mean,logp_diff_max,ratio_min,ratio_mean,ratio_max,ess}; ess is the
  // effective share of the tokens under the ratios as weights, (sum r)^2 / (n sum r^2). Nothing of
  // no tokens.
  std::vector<Metric> metrics() const;
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
