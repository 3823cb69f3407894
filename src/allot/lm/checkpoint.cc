// A model as a folder that transformers loads: config.json and model.safetensors.
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include <ATen/core/grad_mode.h>

#include "allot/core/durable_file.h"
#include "allot/core/error.h"
#include "allot/lm/model.h"
#include "allot/lm/model_parts.h"
#include "allot/lm/safetensors.h"

namespace allot::lm {
namespace {

constexpr const char* kConfigFile = "config.json";
constexpr const char* kWeightsFile = "model.safetensors";

std::string joined(const std::string& folder, const char* file) {
  return (std::filesystem::path(folder) / file).string();
}

std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf())) {
    throw Error(ErrorKind::Model, path,
                "cannot be read; a folder with config.json and "
                "model.safetensors is needed");
  }
  return text.str();
}

std::string shape_text(at::IntArrayRef shape) { return concat(shape); }

}  // namespace

void Model::save(const std::string& folder) const {
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  if (failure) {
    throw Error(ErrorKind::Model, folder, concat("cannot be created: ", failure.message()));
  }
  write_safetensors(joined(folder, kWeightsFile), parameters());
  replace_file(joined(folder, kConfigFile), config_.to_json());
}

Model Model::load(const std::string& folder, at::ScalarType dtype, at::Device device) {
  const at::NoGradGuard no_grad;
  const std::string config_path = joined(folder, kConfigFile);
  const std::string weights_path = joined(folder, kWeightsFile);
  Model model;
  model.config_ = ModelConfig::from_json(read_text(config_path), config_path);
  model.layers.resize(model.config_.layers);

  std::map<std::string, at::Tensor> found;
  for (NamedTensor& named : read_safetensors(weights_path)) found[named.name] = named.tensor;
  for_each_part(model.config_, model, [&](const Part& part, at::Tensor& tensor) {
    const auto at = found.find(part.name);
    if (at == found.end()) {
      throw Error(ErrorKind::Model, weights_path, concat("has no tensor \"", part.name, "\""));
    }
    if (at->second.sizes() != at::IntArrayRef(part.shape)) {
      throw Error(ErrorKind::Model, weights_path,
                  concat("\"", part.name, "\" has shape ", shape_text(at->second.sizes()), "; ",
                         shape_text(part.shape), " is needed by ", kConfigFile));
    }
    tensor = at->second.to(at::TensorOptions(device).dtype(dtype));
    found.erase(at);
  });
  if (model.config_.tied_embedding) {
    model.head = model.embedding;
    found.erase("lm_head.weight");  // some writers repeat the tied head
  }
  if (!found.empty()) {
    throw Error(ErrorKind::Model, weights_path,
                concat("has a tensor \"", found.begin()->first, "\" that ", kConfigFile,
                       " has no place for"));
  }
  return model;
}

}  // namespace allot::lm
