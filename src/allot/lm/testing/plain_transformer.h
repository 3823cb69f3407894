// The oracle: one sequence through the transformer by plain loops in double, full causal attention,
// nothing packed, shared, cached or fused. No torch; written from the architecture's definition.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "allot/lm/config.h"

namespace allot::lm {

using Weights = std::map<std::string, std::vector<double>>;  // by Hugging Face name, row-major

struct PlainOutput {
  std::vector<std::vector<double>> hidden;   // [positions][dim], after the last norm
  std::vector<std::vector<double>> logprob;  // [positions][vocab], at the temperature
};

PlainOutput plain_transformer(const ModelConfig& config, const Weights& weights,
                              const std::vector<std::int32_t>& tokens, double temperature);

}  // namespace allot::lm
