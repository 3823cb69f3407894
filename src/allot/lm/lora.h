// Low-rank adapters (LoRA, Hu et al. 2021, arXiv 2106.09685) in the file format of PEFT.
//
// A target W [out, in] becomes W + s B A with A [r, in], B [out, r] and s = alpha / r, or
// alpha / sqrt(r) with rslora (Kalajdzievski 2023, arXiv 2312.03732). Here the sum is kept in the
// model itself, so that training and generation run as without an adapter, and the gradients of A
// and B follow from that of W:
//   dA = s B^T dW,  dB = s dW A^T
// This saves the optimizer's memory (two moments per trained number), not that of dW.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "allot/lm/model.h"

namespace allot::lm {

struct LoraConfig {
  int r = 8;
  double alpha = 16;
  bool rslora = false;
  // Of q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj; in every layer.
  std::vector<std::string> targets = {"q_proj",    "k_proj",  "v_proj",   "o_proj",
                                      "gate_proj", "up_proj", "down_proj"};
  std::string base;  // folder or name of the model it belongs to

  double scale() const;
  // Throws Error(Config) naming the field that does not fit.
  void validate() const;

  // An adapter_config.json.
  std::string to_json() const;
  // Strict: an option that is set and changes the mathematics is refused by name with Error(Model).
  // lora_dropout is taken and left out: it changes nothing about the weights of a file.
  static LoraConfig from_json(const std::string& text, const std::string& where);
};

struct LoraSize {
  long long trained = 0;  // numbers of all A and B
  long long targets = 0;  // numbers of all W
};
LoraSize lora_size(const ModelConfig& model, const LoraConfig& lora);

// Copies share storage, as tensors do.
class LoraAdapter {
 public:
  // A uniform within 1/sqrt(in) as PEFT starts it, B zero: the model is `base` at first. Own copies
  // of the targets of `base`. A is a function of (shapes, config, seed).
  LoraAdapter(const Model& base, const LoraConfig& config, std::uint64_t seed);

  const LoraConfig& config() const { return config_; }
  // A and B of every target, in the order of the model's parameters, by PEFT's names:
  // "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight".
  std::vector<NamedTensor> parameters() const;

  // Sets the targets of `model` to W + s B A, with the W of the model that this was made from.
  void merge_into(const Model& model) const;

  // Of parameters(), given those of Model::parameters().
  std::vector<at::Tensor> gradients(const std::vector<at::Tensor>& of_model) const;

  // adapter_config.json and adapter_model.safetensors (F32), each written aside and renamed.
  void save(const std::string& folder) const;
  // Reads A and B. Throws Error(Model) naming the file, and the option or tensor, that does not
  // fit; nothing changes then.
  void load(const std::string& folder);

  // What a folder says about its adapter. Throws Error(Model).
  static LoraConfig read_config(const std::string& folder);
  static bool is_adapter(const std::string& folder);

 private:
  struct Target {
    std::size_t index;  // in Model::parameters()
    std::string name;   // of A and B, without ".lora_A.weight"
    at::Tensor base;    // W [out, in]
    at::Tensor a, b;    // [r, in], [out, r]
  };

  LoraConfig config_;
  std::vector<Target> targets_;
};

}  // namespace allot::lm
