// The coefficient of the entropy bonus, fixed or adaptive (Skywork OR1, arXiv 2505.22312).
// Source: objectives, section 9.2.
#pragma once

#include "allot/objective/options.h"

namespace allot::objective {

// Adaptive: after each step the coefficient rises by `step` if the entropy was below the target and
// falls by it otherwise, never below 0; the bonus acts only while the entropy is at or below the
// target.
class EntropyCoefficient {
 public:
  explicit EntropyCoefficient(const LossOptions& options)
      : options_(options.entropy), value_(options.entropy_coef) {}

  // c_H for a step whose mean entropy is `entropy`.
  double acting(double entropy) const {
    return options_.adaptive && entropy > options_.target ? 0 : value_;
  }
  void after_step(double entropy);
  double value() const { return value_; }
  void restore(double value) { value_ = value; }  // of a saved run

 private:
  EntropyOptions options_;
  double value_;
};

}  // namespace allot::objective
