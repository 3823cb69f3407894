#include "allot/local/adamw.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/zeros_like.h>
#include <c10/util/StringUtil.h>

#include "allot/core/error.h"
#include "allot/lm/safetensors.h"

namespace allot {
namespace {

// Tensors that share one decay, in the form the library's kernel takes.
struct ParameterGroup {
  std::vector<at::Tensor> values, gradients, exp_avg, exp_avg_sq, steps;
};

}  // namespace

void OptimOptions::validate() const {
  if (betas.size() != 2 || betas[0] >= 1 || betas[1] >= 1)
    throw Error(ErrorKind::Config, "optim",
                "optim.betas must be two numbers, each at least 0 and below 1");
}

double learning_rate(const OptimOptions& options, std::uint64_t step) {
  const auto warmup = static_cast<std::uint64_t>(options.warmup_steps);
  if (step < warmup)
    return options.lr * static_cast<double>(step + 1) / static_cast<double>(warmup);
  if (options.schedule == Schedule::Constant || options.schedule_steps <= warmup) return options.lr;
  const double done = std::min(1.0, static_cast<double>(step - warmup) /
                                        static_cast<double>(options.schedule_steps - warmup));
  if (options.schedule == Schedule::Linear) return options.lr * (1 - done);
  return options.lr * 0.5 * (1 + std::cos(std::numbers::pi * done));
}

AdamW::AdamW(std::vector<lm::NamedTensor> parameters, OptimOptions options)
    : parameters_(std::move(parameters)), options_(std::move(options)) {
  options_.validate();
  for (const lm::NamedTensor& parameter : parameters_) {
    exp_avg_.push_back(at::zeros_like(parameter.tensor));
    exp_avg_sq_.push_back(at::zeros_like(parameter.tensor));
  }
}

void AdamW::update(std::vector<at::Tensor>& gradients, double lr) {
  if (gradients.size() != parameters_.size())
    throw Error(ErrorKind::Internal, "adamw", "one gradient per parameter is needed");
  const at::NoGradGuard no_grad;
  updates_ += 1;
  ParameterGroup matrices, vectors;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const at::Tensor& value = parameters_[i].tensor;
    ParameterGroup& group = value.dim() >= 2 ? matrices : vectors;
    group.values.push_back(value);
    group.gradients.push_back(gradients[i]);
    group.exp_avg.push_back(exp_avg_[i]);
    group.exp_avg_sq.push_back(exp_avg_sq_[i]);
    group.steps.push_back(at::full({}, static_cast<double>(updates_),
                                   at::TensorOptions(value.device()).dtype(at::kFloat)));
  }
  for (ParameterGroup* group : {&matrices, &vectors}) {
    if (group->values.empty()) continue;
    at::_fused_adamw_(group->values, group->gradients, group->exp_avg, group->exp_avg_sq, {},
                      group->steps, lr, options_.betas[0], options_.betas[1],
                      group == &matrices ? options_.weight_decay : 0, options_.eps,
                      /*amsgrad=*/false, /*maximize=*/false);
  }
}

std::vector<lm::NamedTensor> AdamW::moments() const {
  std::vector<lm::NamedTensor> out;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    out.push_back({parameters_[i].name + ".exp_avg", exp_avg_[i]});
    out.push_back({parameters_[i].name + ".exp_avg_sq", exp_avg_sq_[i]});
  }
  return out;
}

void AdamW::save(const std::string& path) const { lm::write_safetensors(path, moments()); }

void AdamW::load(const std::string& path, std::uint64_t updates) {
  const at::NoGradGuard no_grad;
  std::map<std::string, at::Tensor> stored;
  for (lm::NamedTensor& entry : lm::read_safetensors(path)) stored[entry.name] = entry.tensor;
  const std::vector<lm::NamedTensor> targets = moments();
  for (const lm::NamedTensor& target : targets) {
    const auto found = stored.find(target.name);
    if (found == stored.end())
      throw Error(ErrorKind::Model, path, concat("the tensor ", target.name, " is missing"));
    if (found->second.sizes() != target.tensor.sizes())
      throw Error(
          ErrorKind::Model, path,
          concat("the tensor ", target.name, " has the shape ", c10::str(found->second.sizes()),
                 "; the model needs ", c10::str(target.tensor.sizes())));
  }
  if (stored.size() != targets.size())
    throw Error(ErrorKind::Model, path,
                concat(stored.size(), " tensors; the model has ", targets.size(), " moments"));
  for (const lm::NamedTensor& target : targets) {
    at::Tensor tensor = target.tensor;
    tensor.copy_(stored[target.name]);
  }
  updates_ = updates;
}

double clip_gradients(std::vector<at::Tensor>& gradients, double max_norm) {
  const at::NoGradGuard no_grad;
  double squares = 0;
  for (const at::Tensor& gradient : gradients) {
    const double norm =
        at::linalg_vector_norm(gradient, 2, std::nullopt, false, at::kDouble).item<double>();
    squares += norm * norm;
  }
  const double norm = std::sqrt(squares);
  if (max_norm > 0 && norm > max_norm && std::isfinite(norm))
    for (at::Tensor& gradient : gradients) gradient.mul_(max_norm / norm);
  return norm;
}

}  // namespace allot
