// A Gaussian process over prompt embeddings whose mean, in logit space, predicts pass rates: what
// is learnt of one prompt moves those near to it. Source: VIP, arXiv 2602.01601.
//
//   k(x, x') = exp(-|x - x'|^2 / (2 h^2))
//   observe: alpha = (K + noise)^-1 (logit(rates) - m), K = k over the observed prompts
//            m <- m + k(all, observed) alpha
//
// The mean is carried from step to step, the covariance is not: every step starts from the kernel.
// A prompt that is shown for the first time gets what all earlier observations say about it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "allot/core/options.h"
#include "allot/core/prompt_table.h"
#include "allot/core/types.h"

namespace allot {

struct GaussianProcessOptions {
  double bandwidth = 0, prior_rate = .5, clip = .02, jitter = 1e-4;
  bool observation_noise = true, overwrite = false;

  template <class V>
  void fields(V& v) {
    v("bandwidth", bandwidth, Range{0, 1e6},
      "h of the kernel; 0 = median distance between the prompts of the first step");
    v("prior_rate", prior_rate, Range{1e-6, 1 - 1e-6},
      "pass rate assumed without evidence, such as the base model's mean accuracy");
    v("clip", clip, Range{1e-9, .49}, "observed pass rates are kept this far from 0 and 1");
    v("jitter", jitter, Range{0, 1e3}, "added to the diagonal of the kernel matrix");
    v("observation_noise", observation_noise,
      "add 1 / (n p (1 - p)) to the diagonal, the variance of an observed logit");
    v("overwrite", overwrite, "set the mean of an observed prompt to what was observed");
  }
};

class GaussianProcess {
 public:
  struct Observation {
    PromptId prompt = 0;
    double rate = 0;
    std::uint32_t n = 0;  // rollouts behind it, > 0
  };

  explicit GaussianProcess(const GaussianProcessOptions& options) : options_(options) {}

  // Makes prompts known with their embeddings. Throws Error(Data) naming `owner` and the prompt for
  // an embedding that is empty or not finite, has another size than the first one, or is another
  // one than before.
  void show(std::span<const PromptRef> prompts, const std::string& owner);

  // Predicted pass rate of a known prompt; throws Error(Internal) for another.
  double rate(PromptId prompt) const;

  // The outcome of one step, distinct known prompts. O(known * observed * dimensions).
  void observe(std::span<const Observation> observations);

  double bandwidth() const { return bandwidth_; }  // 0 until it is known

  template <class V>
  void state(V& v) {
    v(known_);
    v(bandwidth_);
    v(dimensions_);
  }

 private:
  struct Known {
    std::vector<float> embedding;
    double mean = 0;    // logit
    double weight = 0;  // sum of alpha over all observations of this prompt

    template <class V>
    void state(V& v) {
      v(embedding);
      v(mean);
      v(weight);
    }
  };

  const Known& known(PromptId prompt) const;
  double kernel(const Known& a, const Known& b) const;
  void check(const PromptRef& prompt, const std::string& owner) const;
  double median_distance() const;

  GaussianProcessOptions options_;
  PromptTable<Known> known_;
  double bandwidth_ = 0;
  std::uint64_t dimensions_ = 0;
};

}  // namespace allot
