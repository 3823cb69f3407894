// AdamW (Loshchilov and Hutter 2019) over named parameters, with clipping by the global norm and a
// learning-rate schedule.
//
//   m = b1 m + (1 - b1) g ;  s = b2 s + (1 - b2) g^2
//   p = p - lr (wd p) - lr (m / (1 - b1^k)) / (sqrt(s / (1 - b2^k)) + eps)
//
// Decay applies to matrices only, never to norms and biases. The update is the library's fused
// kernel; it is elementwise, so it does not depend on the number of threads.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "allot/core/options.h"
#include "allot/lm/model.h"

namespace allot {

enum class Schedule { Constant, Linear, Cosine };

struct OptimOptions {
  double lr = 1e-6;
  Schedule schedule = Schedule::Constant;
  int warmup_steps = 0;
  std::uint64_t schedule_steps = 0;  // 0: the run's steps, filled in by whoever knows them
  double weight_decay = 0;
  std::vector<double> betas = {0.9, 0.999};
  double eps = 1e-8;
  double max_grad_norm = 1.0;  // 0 = no clipping

  // Throws Error(Config).
  void validate() const;

  template <class V>
  void fields(V& v);
};

// Learning rate of a step (0, 1, ...): warm-up from lr / warmup_steps, then the schedule, which
// reaches 0 at `schedule_steps`. Steps are training steps, not optimizer updates, so that methods
// that skip steps decay alike.
double learning_rate(const OptimOptions& options, std::uint64_t step);

class AdamW {
 public:
  // Parameters are updated in place. Moments have their type and device.
  AdamW(std::vector<lm::NamedTensor> parameters, OptimOptions options);

  // One update at learning rate `lr`. `gradients` in the order of the parameters; they may be
  // overwritten. Nothing is clipped here.
  void update(std::vector<at::Tensor>& gradients, double lr);

  std::uint64_t updates() const { return updates_; }

  // "NAME.exp_avg" and "NAME.exp_avg_sq" as F32 safetensors; the count is the caller's to keep.
  void save(const std::string& path) const;
  // Throws Error(Model) naming a missing, surplus or wrongly shaped tensor; nothing changes then.
  void load(const std::string& path, std::uint64_t updates);

 private:
  std::vector<lm::NamedTensor> moments() const;

  std::vector<lm::NamedTensor> parameters_;
  OptimOptions options_;
  std::vector<at::Tensor> exp_avg_, exp_avg_sq_;
  std::uint64_t updates_ = 0;
};

// Scales all gradients so that their common norm is at most `max_norm` (0: unchanged). Returns the
// norm before; not finite if any gradient is not.
double clip_gradients(std::vector<at::Tensor>& gradients, double max_norm);

template <class V>
void OptimOptions::fields(V& v) {
  v("lr", lr, Range{0, 10}, "learning rate");
  v("schedule", schedule,
    Choices<Schedule>{{"constant", Schedule::Constant},
                      {"linear", Schedule::Linear},
                      {"cosine", Schedule::Cosine}},
    "course of the learning rate after the warm-up");
  v("warmup_steps", warmup_steps, Range{0, 1e9}, "steps in which the learning rate rises");
  v("schedule_steps", schedule_steps, Range{0, 1e12},
    "step at which linear and cosine reach 0; 0 = train.max_steps");
  v("weight_decay", weight_decay, Range{0, 10}, "decay of matrices per unit of learning rate");
  v("betas", betas, Range{0, 1}, "decay of the two moments");
  v("eps", eps, Range{1e-30, 1}, "added to the root of the second moment");
  v("max_grad_norm", max_grad_norm, Range{0, 1e9}, "largest norm of the gradient; 0 = not clipped");
}

}  // namespace allot
