// Shape of a decoder-only transformer in the Llama / Qwen2 / Qwen3 family.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "allot/lm/number_type.h"
#include "allot/lm/rope_scaling.h"

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
  RopeScaling rope_scaling;
  double norm_eps = 1e-6;
  bool tied_embedding = true;
  bool qkv_bias = true;  // Qwen2
  bool qk_norm = false;  // Qwen3

  // Tokens with a meaning, kept from file to file; -1 and empty where a folder says nothing.
  std::int32_t bos_token = -1, pad_token = -1;
  std::vector<std::int32_t> end_tokens;  // each ends a response

  // Throws Error(Config) naming the field that does not fit.
  void validate() const;
  long long parameter_count() const;

  // A Hugging Face config.json (architecture Qwen2 or Qwen3 or Llama by the flags above), for
  // weights of this type. Reads in transformers 4 and 5.
  std::string to_json(NumberType type = NumberType::F32) const;
  // Throws Error(Model) naming an unknown architecture or option.
  static ModelConfig from_json(const std::string& text, const std::string& where);
};

// The end tokens that a generation_config.json names; those of a config.json count where there are
// none. Throws Error(Model) for a text that is no JSON object or ids that are none.
std::vector<std::int32_t> end_tokens_of_generation_config(const std::string& text,
                                                          const std::string& where);

}  // namespace allot::lm
