// Rows -> gradient of the policy loss through the whole model, in shards.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "allot/lm/forward.h"
#include "allot/lm/model.h"
#include "allot/lm/tensor.h"
#include "allot/local/log_partition.h"
#include "allot/local/train_rows.h"
#include "allot/local/update_plan.h"
#include "allot/objective/curvature_moments.h"
#include "allot/objective/entropy.h"
#include "allot/objective/loss_sums.h"
#include "allot/objective/options.h"
#include "allot/objective/term_sums.h"

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

// What an update is made with beside rows and weights.
struct UpdateMoment {
  Version version = 0;               // of the weights, for the comparison with the sampler
  std::uint64_t seed = 0, step = 0;  // keys of the loss's own random numbers
  objective::EntropyCoefficient entropy = objective::EntropyCoefficient({});
  const LogPartition* log_partition = nullptr;  // of flow_balance, which needs it
  // Of losses that keep them (objective::keeps_curvature_moments()).
  const objective::CurvatureMoments* curvature = nullptr;
};

struct PolicyGradient {
  std::vector<at::Tensor> gradients;      // in the order of Model::parameters()
  std::vector<at::Tensor> log_partition;  // of LogPartition::parameters(), where there is one
  objective::HeadGradient head;           // that UpdateMoment::curvature advances by
  objective::LossSums sums;
  objective::TermSums terms;
  std::vector<objective::ItemRatio> items;  // by UpdatePlan::computed
  SamplerMismatch mismatch;
  std::uint64_t positions = 0;  // run forward and backward
  std::uint64_t scored = 0;     // run forward only

  double mean_entropy() const;  // over the tokens that count
};

// Coefficient mode (objectives, section 1): the log-probabilities of a micro-batch go to the
// double-precision loss, whose derivatives run back through the head and the layers. A loss whose
// terms need the whole step (objective/step_terms.h) or lists of likely tokens is preceded by a
// pass without gradient over all counted rows. `settings.loss` expanded.
PolicyGradient policy_gradient(const lm::Model& model, const TrainRows& rows,
                               const UpdatePlan& plan, const UpdateMoment& moment,
                               const PolicyGradientSettings& settings);

}  // namespace allot
