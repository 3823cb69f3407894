// Every parameter of the transformer, named once: Hugging Face name, shape, role. Random start,
// parameters(), views, copies and files all walk this list. Internal to lm/.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "allot/lm/model.h"

namespace allot::lm {

// What a parameter starts as; output projections (o, down) start smaller.
enum class Role { Matrix, OutputProjection, Norm, Bias };

struct Part {
  std::string name;
  std::vector<std::int64_t> shape;
  Role role;
};

// Calls visit(Part, tensor) in Hugging Face's order; a tied head is not visited. `AnyModel` is
// Model or const Model, and its layers must be as many as the configuration says.
template <class AnyModel, class Visit>
void for_each_part(const ModelConfig& config, AnyModel& model, Visit&& visit) {
  const std::int64_t dim = config.dim, ffn = config.ffn, head_dim = config.head_dim;
  const std::int64_t q = config.heads * head_dim, kv = config.kv_heads * head_dim;
  visit(Part{"model.embed_tokens.weight", {config.vocab, dim}, Role::Matrix}, model.embedding);
  for (int i = 0; i < config.layers; ++i) {
    auto& layer = model.layers[i];
    const std::string prefix = "model.layers." + std::to_string(i) + ".";
    const auto part = [&](const char* name, std::vector<std::int64_t> shape, Role role,
                          auto& tensor) {
      visit(Part{prefix + name, std::move(shape), role}, tensor);
    };
    part("input_layernorm.weight", {dim}, Role::Norm, layer.input_norm);
    part("self_attn.q_proj.weight", {q, dim}, Role::Matrix, layer.q);
    part("self_attn.k_proj.weight", {kv, dim}, Role::Matrix, layer.k);
    part("self_attn.v_proj.weight", {kv, dim}, Role::Matrix, layer.v);
    if (config.qkv_bias) {
      part("self_attn.q_proj.bias", {q}, Role::Bias, layer.q_bias);
      part("self_attn.k_proj.bias", {kv}, Role::Bias, layer.k_bias);
      part("self_attn.v_proj.bias", {kv}, Role::Bias, layer.v_bias);
    }
    if (config.qk_norm) {
      part("self_attn.q_norm.weight", {head_dim}, Role::Norm, layer.q_norm);
      part("self_attn.k_norm.weight", {head_dim}, Role::Norm, layer.k_norm);
    }
    part("self_attn.o_proj.weight", {dim, q}, Role::OutputProjection, layer.o);
    part("post_attention_layernorm.weight", {dim}, Role::Norm, layer.post_norm);
    part("mlp.gate_proj.weight", {ffn, dim}, Role::Matrix, layer.gate);
    part("mlp.up_proj.weight", {ffn, dim}, Role::Matrix, layer.up);
    part("mlp.down_proj.weight", {dim, ffn}, Role::OutputProjection, layer.down);
  }
  visit(Part{"model.norm.weight", {dim}, Role::Norm}, model.final_norm);
  if (!config.tied_embedding) {
    visit(Part{"lm_head.weight", {config.vocab, dim}, Role::Matrix}, model.head);
  }
}

}  // namespace allot::lm
