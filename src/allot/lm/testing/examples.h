// Models and batches for tests of lm/.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "allot/lm/model.h"
#include "allot/lm/packed_rows.h"
#include "allot/lm/testing/plain_transformer.h"

namespace allot::lm {

struct NamedConfig {
  std::string name;
  ModelConfig config;
};

// Small shapes of every kind: Qwen2, Qwen3, Llama, with and without tied head, one to several
// query heads per kv head, head sizes below, at and above the width of a vector register.
std::vector<NamedConfig> example_configs();

// Weights large enough that every part matters: attention far from uniform, biases and norms away
// from their start. A function of (config, seed); the float model is the double one, rounded.
Model lively_model(const ModelConfig& config, std::uint64_t seed, at::ScalarType dtype);

Weights weights_of(const Model& model);

// One prompt and its responses, all with at least one token.
struct ExampleGroup {
  std::vector<std::int32_t> prompt;
  std::vector<std::vector<std::int32_t>> responses;
};

// Random lengths in [1, longest_prompt] and [1, longest_response].
std::vector<ExampleGroup> random_groups(const ModelConfig& config, std::uint64_t seed, int groups,
                                        int responses, int longest_prompt, int longest_response);

// Every response token is a target; targets are in the order of groups, responses, tokens. Shared:
// a prompt's rows once per group. Unshared: once per response, in one segment with it.
PackedRows pack_shared(const std::vector<ExampleGroup>& groups);
PackedRows pack_unshared(const std::vector<ExampleGroup>& groups);

}  // namespace allot::lm
