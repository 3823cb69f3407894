// Embeddings of prompts from their text alone, for methods that compare prompts (Needs::embedding)
// where no model supplies any: words and character n-grams, weighted by how rare they are in the
// data set, hashed with random signs into a fixed number of dimensions, scaled to length 1.
//
// Texts that share many rare features lie close together. The result depends on the texts and their
// number only, not on their order, and is the same on every machine up to rounding.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "allot/tasks/prompt_set.h"

namespace allot {

constexpr std::size_t kTextDimensions = 256;

// One vector of `dimensions` numbers per text: length 1, or 0 for a text without any feature.
//   weight of a feature = (1 + ln count) * (ln((1 + texts) / (1 + texts that have it)) + 1)
std::vector<std::vector<float>> hashed_text_embeddings(std::span<const std::string_view> texts,
                                                       std::size_t dimensions = kTextDimensions);

// Gives every prompt of the set the embedding of its text.
void embed_by_text(PromptSet& prompts);

}  // namespace allot
