// A model as a folder that transformers loads: config.json, generation_config.json and weights.
#include <algorithm>
#include <array>
#include <filesystem>
#include <string>

#include <ATen/core/grad_mode.h>

#include "allot/core/durable_file.h"
#include "allot/core/error.h"
#include "allot/lm/in_folder.h"
#include "allot/lm/model.h"
#include "allot/lm/model_parts.h"
#include "allot/lm/weight_files.h"

namespace allot::lm {
namespace {

namespace fs = std::filesystem;

constexpr const char* kConfigFile = "config.json";
constexpr const char* kGenerationFile = "generation_config.json";

// What a folder holds beside weights and shape.
constexpr std::array<const char*, 9> kCompanions = {kGenerationFile,
                                                    "tokenizer.json",
                                                    "tokenizer_config.json",
                                                    "special_tokens_map.json",
                                                    "added_tokens.json",
                                                    "vocab.json",
                                                    "merges.txt",
                                                    "chat_template.jinja",
                                                    "tokenizer.model"};

// Buffers that old writers stored and that follow from config.json.
void ignore_buffers(WeightFiles& files, int layers) {
  for (int i = 0; i < layers; ++i) {
    files.ignore(concat("model.layers.", i, ".self_attn.rotary_emb.inv_freq"));
  }
}

}  // namespace

ModelConfig read_model_config(const std::string& folder) {
  const std::string path = in_folder(folder, kConfigFile);
  if (!fs::exists(path)) {
    throw Error(ErrorKind::Model, path,
                "cannot be read; a folder with config.json and model.safetensors is needed");
  }
  ModelConfig config = ModelConfig::from_json(read_file(path), path);
  const std::string generation = in_folder(folder, kGenerationFile);
  if (!fs::exists(generation)) return config;
  std::vector<std::int32_t> ends =
      end_tokens_of_generation_config(read_file(generation), generation);
  if (!ends.empty()) config.end_tokens = std::move(ends);
  return config;
}

void copy_companion_files(const std::string& from, const std::string& to) {
  for (const char* name : kCompanions) {
    const std::string source = in_folder(from, name), target = in_folder(to, name);
    if (!fs::exists(source) || (fs::exists(target) && fs::equivalent(source, target))) continue;
    replace_file(target, read_file(source));
  }
}

void Model::save(const std::string& folder, const SaveOptions& options) const {
  std::error_code failure;
  fs::create_directories(folder, failure);
  if (failure) {
    throw Error(ErrorKind::Model, folder, concat("cannot be created: ", failure.message()));
  }
  write_weight_files(folder, parameters(), options.type, options.shard_bytes);
  replace_file(in_folder(folder, kConfigFile), config_.to_json(options.type));
}

Model Model::load(const std::string& folder, at::ScalarType dtype, at::Device device) {
  const at::NoGradGuard no_grad;
  Model model;
  model.config_ = read_model_config(folder);
  model.layers.resize(model.config_.layers);
  WeightFiles files(folder);
  for_each_part(model.config_, model, [&](const Part& part, at::Tensor& tensor) {
    tensor = files.take(part.name, part.shape, dtype, device);
  });
  if (model.config_.tied_embedding) {
    model.head = model.embedding;
    files.ignore("lm_head.weight");  // some writers repeat the tied head
  }
  ignore_buffers(files, model.config_.layers);
  files.refuse_the_rest();
  return model;
}

}  // namespace allot::lm
