#include "allot/lm/lora.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <utility>

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/zeros.h>
#include <c10/util/StringUtil.h>

#include "allot/core/durable_file.h"
#include "allot/core/error.h"
#include "allot/core/random.h"
#include "allot/lm/in_folder.h"
#include "allot/lm/safetensors.h"

namespace allot::lm {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLoraConfigFile = "adapter_config.json";
constexpr const char* kWeightsFile = "adapter_model.safetensors";
constexpr const char* kPrefix = "base_model.model.";
constexpr std::string_view kWeight = ".weight";

// "model.layers.0.self_attn.q_proj.weight" -> "q_proj"
std::string module_of(const std::string& parameter) {
  if (!parameter.ends_with(kWeight)) return "";
  const std::string path = parameter.substr(0, parameter.size() - kWeight.size());
  return path.substr(path.rfind('.') + 1);
}

at::Tensor random_a(std::int64_t r, const at::Tensor& base, std::uint64_t seed,
                    std::uint64_t index) {
  at::Tensor a = at::empty({r, base.size(1)}, at::kDouble);
  const double reach = 1 / std::sqrt(static_cast<double>(base.size(1)));
  RandomStream random({.seed = seed, .use = RandomUse::Init, .prompt = index, .seq = 1});
  double* values = a.data_ptr<double>();
  for (std::int64_t i = 0; i < a.numel(); ++i) values[i] = reach * (2 * random.uniform() - 1);
  return a.to(base.options());
}

}  // namespace

LoraAdapter::LoraAdapter(const Model& base, const LoraConfig& config, std::uint64_t seed)
    : config_(config) {
  config_.validate();
  const at::NoGradGuard no_grad;
  const std::vector<NamedTensor> parameters = base.parameters();
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const std::string& name = parameters[i].name;
    const auto& wanted = config_.targets;
    if (std::find(wanted.begin(), wanted.end(), module_of(name)) == wanted.end()) continue;
    const at::Tensor weight = parameters[i].tensor.detach();
    targets_.push_back({i, kPrefix + name.substr(0, name.size() - kWeight.size()), weight.clone(),
                        random_a(config_.r, weight, seed, i),
                        at::zeros({weight.size(0), config_.r}, weight.options())});
  }
}

std::vector<NamedTensor> LoraAdapter::parameters() const {
  std::vector<NamedTensor> out;
  for (const Target& target : targets_) {
    out.push_back({target.name + ".lora_A.weight", target.a});
    out.push_back({target.name + ".lora_B.weight", target.b});
  }
  return out;
}

void LoraAdapter::merge_into(const Model& model) const {
  const at::NoGradGuard no_grad;
  const std::vector<NamedTensor> parameters = model.parameters();
  for (const Target& target : targets_) {
    if (target.index >= parameters.size() ||
        parameters[target.index].tensor.sizes() != target.base.sizes()) {
      throw Error(ErrorKind::Internal, "lora", "merged into a model of another shape");
    }
    at::Tensor weight = parameters[target.index].tensor;
    weight.copy_(at::addmm(target.base, target.b, target.a, 1, config_.scale()));
  }
}

std::vector<at::Tensor> LoraAdapter::gradients(const std::vector<at::Tensor>& of_model) const {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> out;
  for (const Target& target : targets_) {
    const at::Tensor& d_weight = of_model.at(target.index);
    out.push_back(at::matmul(target.b.t(), d_weight) * config_.scale());
    out.push_back(at::matmul(d_weight, target.a.t()) * config_.scale());
  }
  return out;
}

void LoraAdapter::save(const std::string& folder) const {
  std::error_code failure;
  fs::create_directories(folder, failure);
  if (failure) {
    throw Error(ErrorKind::Model, folder, concat("cannot be created: ", failure.message()));
  }
  write_safetensors(in_folder(folder, kWeightsFile), parameters());
  replace_file(in_folder(folder, kLoraConfigFile), config_.to_json());
}

void LoraAdapter::load(const std::string& folder) {
  const at::NoGradGuard no_grad;
  const std::string path = in_folder(folder, kWeightsFile);
  const LoraConfig given = read_config(folder);
  if (given.scale() != config_.scale()) {
    throw Error(ErrorKind::Model, in_folder(folder, kLoraConfigFile),
                concat("scales by ", given.scale(), "; ", config_.scale(),
                       " is needed (r, lora_alpha, use_rslora)"));
  }
  std::map<std::string, at::Tensor> stored;
  for (NamedTensor& entry : read_safetensors(path)) stored[entry.name] = entry.tensor;
  const std::vector<NamedTensor> wanted = parameters();
  for (const NamedTensor& one : wanted) {
    const auto found = stored.find(one.name);
    if (found == stored.end()) {
      throw Error(ErrorKind::Model, path, concat("has no tensor \"", one.name, "\""));
    }
    if (found->second.sizes() != one.tensor.sizes()) {
      throw Error(ErrorKind::Model, path,
                  concat("\"", one.name, "\" has shape ", c10::str(found->second.sizes()), "; ",
                         c10::str(one.tensor.sizes()), " is needed"));
    }
  }
  if (stored.size() != wanted.size()) {
    for (const NamedTensor& one : wanted) stored.erase(one.name);
    throw Error(
        ErrorKind::Model, path,
        concat("has a tensor \"", stored.begin()->first, "\" that the adapter has no place for"));
  }
  for (const NamedTensor& one : wanted) {
    at::Tensor target = one.tensor;
    target.copy_(stored.at(one.name));
  }
}

LoraConfig LoraAdapter::read_config(const std::string& folder) {
  const std::string path = in_folder(folder, kLoraConfigFile);
  return LoraConfig::from_json(read_file(path), path);
}

bool LoraAdapter::is_adapter(const std::string& folder) {
  return fs::exists(in_folder(folder, kLoraConfigFile));
}

}  // namespace allot::lm
