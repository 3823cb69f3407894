#include "allot/lm/testing/examples.h"

#include "allot/core/random.h"

namespace allot::lm {
namespace {

RandomStream stream(std::uint64_t seed, std::uint64_t number) {
  return RandomStream({.seed = seed, .use = RandomUse::Test, .prompt = number});
}

std::vector<std::int32_t> random_tokens(RandomStream& random, int vocab, int longest) {
  std::vector<std::int32_t> tokens(1 + random.below(longest));
  for (std::int32_t& t : tokens) t = static_cast<std::int32_t>(random.below(vocab));
  return tokens;
}

// Appends a segment whose inputs are `tokens`.
Segment append(PackedRows& rows, const std::vector<std::int32_t>& tokens, std::size_t count,
               std::int32_t prefix_start, std::int32_t prefix_length) {
  const Segment segment{static_cast<std::int32_t>(rows.rows()), static_cast<std::int32_t>(count),
                        prefix_start, prefix_length};
  for (std::size_t i = 0; i < count; ++i) {
    rows.tokens.push_back(tokens[i]);
    rows.positions.push_back(prefix_length + static_cast<std::int32_t>(i));
  }
  rows.segments.push_back(segment);
  return segment;
}

}  // namespace

std::vector<NamedConfig> example_configs() {
  ModelConfig qwen2{.vocab = 19,
                    .dim = 20,
                    .layers = 2,
                    .heads = 4,
                    .kv_heads = 2,
                    .head_dim = 6,
                    .ffn = 36,
                    .context = 160};
  ModelConfig qwen3 = qwen2;
  qwen3.qkv_bias = false;
  qwen3.qk_norm = true;
  qwen3.head_dim = 16;
  qwen3.heads = qwen3.kv_heads = 3;
  ModelConfig llama = qwen2;
  llama.qkv_bias = false;
  llama.tied_embedding = false;
  llama.head_dim = 34;
  llama.kv_heads = 1;
  llama.rope_theta = 500;
  ModelConfig size_s_heads = qwen2;
  size_s_heads.vocab = 64;
  size_s_heads.dim = 32;
  size_s_heads.head_dim = 24;
  ModelConfig wide = qwen2;
  wide.layers = 1;
  wide.head_dim = 80;
  wide.heads = wide.kv_heads = 2;
  return {{"qwen2", qwen2},
          {"qwen3", qwen3},
          {"llama", llama},
          {"size_s_heads", size_s_heads},
          {"wide_heads", wide}};
}

Model lively_model(const ModelConfig& config, std::uint64_t seed, at::ScalarType dtype) {
  Model model = Model::random(config, seed, at::kDouble, at::kCPU);
  std::uint64_t number = 0;
  for (const NamedTensor& named : model.parameters()) {
    RandomStream random = stream(seed, number++);
    double* values = named.tensor.data_ptr<double>();
    const bool norm = named.name.find("norm.weight") != std::string::npos;
    for (std::int64_t i = 0; i < named.tensor.numel(); ++i) {
      // Rounded to float, so that the models of both types have the same weights.
      values[i] = static_cast<float>(norm ? 1 + 0.2 * random.normal() : 0.3 * random.normal());
    }
  }
  Model out = Model::random(config, seed, dtype, at::kCPU);
  out.copy_from(model);
  return out;
}

Weights weights_of(const Model& model) {
  Weights weights;
  for (const NamedTensor& named : model.parameters()) {
    const at::Tensor values = named.tensor.detach().to(at::kDouble).contiguous();
    const double* from = values.const_data_ptr<double>();
    weights[named.name].assign(from, from + values.numel());
  }
  return weights;
}

std::vector<ExampleGroup> random_groups(const ModelConfig& config, std::uint64_t seed, int groups,
                                        int responses, int longest_prompt, int longest_response) {
  RandomStream random = stream(seed, 1u << 20);
  std::vector<ExampleGroup> out(groups);
  for (ExampleGroup& group : out) {
    group.prompt = random_tokens(random, config.vocab, longest_prompt);
    for (int i = 0; i < responses; ++i) {
      group.responses.push_back(random_tokens(random, config.vocab, longest_response));
    }
  }
  return out;
}

PackedRows pack_shared(const std::vector<ExampleGroup>& groups) {
  PackedRows rows;
  for (const ExampleGroup& group : groups) {
    const Segment prompt = append(rows, group.prompt, group.prompt.size(), 0, 0);
    for (const auto& response : group.responses) {
      rows.target_row.push_back(prompt.start + prompt.length - 1);
      rows.target_token.push_back(response[0]);
      if (response.size() == 1) continue;  // the last token is never an input
      const Segment own = append(rows, response, response.size() - 1, prompt.start, prompt.length);
      for (std::size_t i = 1; i < response.size(); ++i) {
        rows.target_row.push_back(own.start + static_cast<std::int32_t>(i) - 1);
        rows.target_token.push_back(response[i]);
      }
    }
  }
  return rows;
}

PackedRows pack_unshared(const std::vector<ExampleGroup>& groups) {
  PackedRows rows;
  for (const ExampleGroup& group : groups) {
    for (const auto& response : group.responses) {
      std::vector<std::int32_t> all = group.prompt;
      all.insert(all.end(), response.begin(), response.end());
      const Segment own = append(rows, all, all.size() - 1, 0, 0);
      const std::int32_t first = own.start + static_cast<std::int32_t>(group.prompt.size()) - 1;
      for (std::size_t i = 0; i < response.size(); ++i) {
        rows.target_row.push_back(first + static_cast<std::int32_t>(i));
        rows.target_token.push_back(response[i]);
      }
    }
  }
  return rows;
}

}  // namespace allot::lm
