// Embeddings of prompts from the model that is trained, for methods that compare prompts
// (Needs::embedding): what the model makes of a prompt before it answers.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "allot/lm/model.h"

namespace allot {

// One vector of config().dim numbers per prompt (tokens; at least one each): the mean over its
// tokens of the hidden states after the last norm, minus the mean over all prompts, scaled to
// length 1 (0 where nothing is left of it). Does not depend on `workers`.
std::vector<std::vector<float>> embed_by_model(const lm::Model& model,
                                               std::span<const std::vector<std::int32_t>> prompts,
                                               int workers);

}  // namespace allot
