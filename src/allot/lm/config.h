// Shape of a decoder-only transformer in the Llama / Qwen2 / Qwen3 family.
#pragma once

#include <string>

namespace allot::lm {

// Defaults are the built-in size S (0.31 M parameters).
struct ModelConfig {
  int vocab = 64;
  int dim = 96;  // hidden size
  int layers = 3;
  int heads = 4;      // query heads
  int kv_heads = 2;   // divides heads
  int head_dim = 24;  // even
  int ffn = 256;      // SwiGLU inner size
  int context = 256;  // most positions (prompt + response)
  double rope_theta = 10000;
  double norm_eps = 1e-6;
  bool tied_embedding = true;
  bool qkv_bias = true;  // Qwen2
  bool qk_norm = false;  // Qwen3

  // Throws Error(Config) naming the field that does not fit.
  void validate() const;
  long long parameter_count() const;

  // A Hugging Face config.json (architecture Qwen2 or Qwen3 or Llama by the flags above).
  std::string to_json() const;
  // Throws Error(Model) naming an unknown architecture or option.
  static ModelConfig from_json(const std::string& text, const std::string& where);
};

}  // namespace allot::lm
