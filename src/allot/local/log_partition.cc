#include "allot/local/log_partition.h"

#include <cmath>
#include <map>
#include <utility>

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <c10/util/StringUtil.h>

#include "allot/core/error.h"
#include "allot/lm/safetensors.h"

namespace allot {
namespace {

constexpr int kHidden = 2;  // hidden layers: weight, bias, norm weight, norm bias each
constexpr double kNormEps = 1e-5;

at::Tensor normal_matrix(int dim, std::uint64_t seed, std::uint32_t layer,
                         const at::TensorOptions& options) {
  const at::Tensor out = at::empty({dim, dim}, at::kDouble);
  RandomStream random({.seed = seed, .use = RandomUse::Init, .prompt = layer, .seq = 0xfffffffeU});
  for (std::int64_t i = 0; i < out.numel(); ++i)
    out.data_ptr<double>()[i] = random.normal() / std::sqrt(dim);
  return out.to(options);
}

// 0 or 1 / (1 - dropout) for each prompt and unit.
at::Tensor dropout_factors(std::span<const RandomKey> keys, std::int64_t dim, std::int64_t layer,
                           const at::TensorOptions& options) {
  const at::Tensor out = at::empty({static_cast<std::int64_t>(keys.size()), dim}, at::kDouble);
  double* to = out.data_ptr<double>();
  for (const RandomKey& key : keys) {
    const RandomStream stream(key);
    for (std::int64_t i = 0; i < dim; ++i) {
      const bool kept = stream.uniform_at(static_cast<std::uint64_t>(layer * dim + i)) >=
                        static_cast<float>(LogPartition::kDropout);
      *to++ = kept ? 1 / (1 - LogPartition::kDropout) : 0;
    }
  }
  return out.to(options);
}

}  // namespace

LogPartition::LogPartition(int dim, std::uint64_t seed, at::ScalarType type, at::Device device) {
  const auto options = at::TensorOptions(device).dtype(type);
  for (std::uint32_t layer = 0; layer < kHidden; ++layer) {
    tensors_.push_back(normal_matrix(dim, seed, layer, options));
    tensors_.push_back(at::zeros({dim}, options));
    tensors_.push_back(at::ones({dim}, options));
    tensors_.push_back(at::zeros({dim}, options));
  }
  tensors_.push_back(at::zeros({1, dim}, options));
  tensors_.push_back(at::zeros({1}, options));
}

at::Tensor LogPartition::operator()(const at::Tensor& prompts,
                                    std::span<const RandomKey> keys) const {
  at::Tensor x = prompts.to(tensors_[0].scalar_type());
  for (std::size_t layer = 0; layer < kHidden; ++layer) {
    const at::Tensor* own = &tensors_[4 * layer];
    x = at::gelu(at::linear(x, own[0], own[1]));
    x = at::layer_norm(x, {x.size(1)}, own[2], own[3], kNormEps);
    x = x * dropout_factors(keys, x.size(1), static_cast<std::int64_t>(layer), x.options());
  }
  return at::linear(x, tensors_[4 * kHidden], tensors_[4 * kHidden + 1]).squeeze(1);
}

std::vector<lm::NamedTensor> LogPartition::parameters() const {
  std::vector<lm::NamedTensor> out;
  for (int layer = 0; layer < kHidden; ++layer) {
    const std::string at = concat("log_partition.", layer, ".");
    for (const char* name : {"weight", "bias", "norm.weight", "norm.bias"})
      out.push_back({at + name, tensors_[out.size()]});
  }
  for (const char* name : {"weight", "bias"})
    out.push_back({concat("log_partition.", kHidden, ".", name), tensors_[out.size()]});
  return out;
}

LogPartition LogPartition::training_view() const {
  LogPartition out;
  for (const at::Tensor& tensor : tensors_)
    out.tensors_.push_back(tensor.detach().requires_grad_());
  return out;
}

void LogPartition::save(const std::string& path) const {
  lm::write_safetensors(path, parameters());
}

void LogPartition::load(const std::string& path) {
  const at::NoGradGuard no_grad;
  std::map<std::string, at::Tensor> stored;
  for (lm::NamedTensor& entry : lm::read_safetensors(path)) stored[entry.name] = entry.tensor;
  const std::vector<lm::NamedTensor> own = parameters();
  for (const lm::NamedTensor& parameter : own) {
    const auto found = stored.find(parameter.name);
    if (found == stored.end() || found->second.sizes() != parameter.tensor.sizes())
      throw Error(ErrorKind::Model, path,
                  concat("the tensor ", parameter.name, " is missing or has another shape than ",
                         c10::str(parameter.tensor.sizes())));
  }
  for (const lm::NamedTensor& parameter : own) {
    at::Tensor tensor = parameter.tensor;
    tensor.copy_(stored[parameter.name]);
  }
}

PromptMeans prompt_means(const at::Tensor& hidden, const lm::PackedRows& rows,
                         std::span<const std::uint32_t> first_target) {
  std::map<std::int32_t, std::size_t> by_last_row;  // prompts: segments without a prefix
  std::vector<at::Tensor> means;
  for (const lm::Segment& segment : rows.segments) {
    if (segment.prefix_length > 0) continue;
    by_last_row[segment.start + segment.length - 1] = means.size();
    means.push_back(hidden.narrow(0, segment.start, segment.length).mean(0));
  }
  PromptMeans out;
  out.means = at::stack(means);
  for (const std::uint32_t target : first_target)
    out.of_target.push_back(by_last_row.at(rows.target_row[target]));
  return out;
}

}  // namespace allot
