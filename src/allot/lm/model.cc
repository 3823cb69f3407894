// Weights: names and shapes in one list, random start, copies. Files: checkpoint.cc.
#include "allot/lm/model.h"

#include <cmath>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>

#include "allot/core/error.h"
#include "allot/core/random.h"
#include "allot/lm/model_parts.h"

namespace allot::lm {
namespace {

at::Tensor random_tensor(const ModelConfig& config, const Part& part, std::uint64_t seed,
                         std::uint64_t index) {
  at::Tensor tensor = at::empty(part.shape, at::kDouble);
  double* values = tensor.data_ptr<double>();
  double scale = 1 / std::sqrt(static_cast<double>(config.dim));
  if (part.role == Role::OutputProjection) scale /= std::sqrt(2.0 * config.layers);
  RandomStream stream({.seed = seed, .use = RandomUse::Init, .prompt = index});
  for (std::int64_t i = 0; i < tensor.numel(); ++i) {
    switch (part.role) {
      case Role::Norm:
        values[i] = 1;
        break;
      case Role::Bias:
        values[i] = 0;
        break;
      default:
        values[i] = scale * stream.normal();
    }
  }
  return tensor;
}

}  // namespace

Model Model::random(const ModelConfig& config, std::uint64_t seed, at::ScalarType dtype,
                    at::Device device) {
  config.validate();
  const at::NoGradGuard no_grad;
  Model model;
  model.config_ = config;
  model.layers.resize(config.layers);
  std::uint64_t index = 0;
  for_each_part(config, model, [&](const Part& part, at::Tensor& tensor) {
    const at::Tensor made = random_tensor(config, part, seed, index++);
    tensor = made.to(at::TensorOptions(device).dtype(dtype));
  });
  if (config.tied_embedding) model.head = model.embedding;
  return model;
}

std::vector<NamedTensor> Model::parameters() const {
  std::vector<NamedTensor> out;
  for_each_part(config_, *this, [&](const Part& part, const at::Tensor& tensor) {
    out.push_back({part.name, tensor});
  });
  return out;
}

Model Model::training_view() const {
  Model view = *this;
  for_each_part(config_, view,
                [](const Part&, at::Tensor& tensor) { tensor = tensor.detach().requires_grad_(); });
  if (config_.tied_embedding) view.head = view.embedding;
  return view;
}

Model Model::clone() const { return converted(dtype()); }

Model Model::converted(at::ScalarType dtype) const {
  const at::NoGradGuard no_grad;
  Model copy = *this;
  for_each_part(config_, copy, [&](const Part&, at::Tensor& tensor) {
    tensor = tensor.detach().to(dtype, /*non_blocking=*/false, /*copy=*/true);
  });
  if (config_.tied_embedding) copy.head = copy.embedding;
  return copy;
}

void Model::copy_from(const Model& other) {
  const at::NoGradGuard no_grad;
  const std::vector<NamedTensor> to = parameters(), from = other.parameters();
  if (to.size() != from.size()) {
    throw Error(ErrorKind::Internal, "model", "weights of another architecture were copied");
  }
  for (std::size_t i = 0; i < to.size(); ++i) {
    if (to[i].name != from[i].name || to[i].tensor.sizes() != from[i].tensor.sizes()) {
      throw Error(ErrorKind::Internal, "model",
                  concat("weights of another shape were copied: ", to[i].name));
    }
  }
  for (std::size_t i = 0; i < to.size(); ++i) {
    at::Tensor target = to[i].tensor;
    target.copy_(from[i].tensor);
  }
}

}  // namespace allot::lm
