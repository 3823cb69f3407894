// The weights of one transformer, by Hugging Face names.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "allot/lm/config.h"
#include "allot/lm/tensor.h"

namespace allot::lm {

// Linear weights are [out, in] as in Hugging Face; undefined tensors where the config has none.
struct Layer {
  at::Tensor input_norm;              // [dim]
  at::Tensor q, k, v;                 // [heads*head_dim, dim], [kv_heads*head_dim, dim] x2
  at::Tensor q_bias, k_bias, v_bias;  // [out] with qkv_bias
  at::Tensor q_norm, k_norm;          // [head_dim] with qk_norm
  at::Tensor o;                       // [dim, heads*head_dim]
  at::Tensor post_norm;               // [dim]
  at::Tensor gate, up, down;          // [ffn, dim], [ffn, dim], [dim, ffn]
};

struct NamedTensor {
  std::string name;  // "model.layers.0.self_attn.q_proj.weight"
  at::Tensor tensor;
};

struct SaveOptions {
  NumberType type = NumberType::F32;          // of the files; training resumes exactly from F32
  std::uint64_t shard_bytes = 5'000'000'000;  // more is cut into several files
};

// Copies share storage, as tensors do.
class Model {
 public:
  // Random weights: normal with sd 1/sqrt(dim), output projections scaled by
  // 1/sqrt(2 layers); norms 1, biases 0. (The customary 0.02 belongs to widths near 2,500; at the
  // widths trained here attention then starts out flat, and warm starts take several times longer.)
  // A pure function of (config, seed), the same on every device.
  static Model random(const ModelConfig& config, std::uint64_t seed, at::ScalarType dtype,
                      at::Device device);

  const ModelConfig& config() const { return config_; }
  at::ScalarType dtype() const { return embedding.scalar_type(); }
  at::Device device() const { return embedding.device(); }

  at::Tensor embedding;  // [vocab, dim]
  std::vector<Layer> layers;
  at::Tensor final_norm;  // [dim]
  at::Tensor head;        // [vocab, dim]; the same tensor as `embedding` when tied

  // Every distinct parameter once, in a fixed order (a tied head is not repeated).
  std::vector<NamedTensor> parameters() const;

  // The same storage behind fresh leaves that require grad, so that each worker thread has
  // gradients of its own.
  Model training_view() const;
  Model clone() const;                          // own storage
  Model converted(at::ScalarType dtype) const;  // own storage
  void copy_from(const Model& other);           // of the same shape; rounds to its own type

  // A Hugging Face folder: config.json and safetensors, each file written aside and renamed. Files
  // with other names stay as they are.
  void save(const std::string& folder, const SaveOptions& options = {}) const;
  // Reads one as published for Llama, Qwen2 or Qwen3: one file or shards, F32, BF16 or F16. Takes
  // the memory of the model and of its largest tensor. Throws Error(Model) naming the file, and the
  // option or tensor, that is unknown, missing, surplus or of another shape.
  static Model load(const std::string& folder, at::ScalarType dtype, at::Device device);

 private:
  ModelConfig config_;
};

// config.json of a folder, its end tokens those of generation_config.json where that names some.
// Throws Error(Model).
ModelConfig read_model_config(const std::string& folder);

// Copies what a Hugging Face folder holds beside weights and shape, unchanged: tokenizer files,
// chat template, generation_config.json. Missing ones are left out.
void copy_companion_files(const std::string& from, const std::string& to);

}  // namespace allot::lm
