// The fused path as differentiable functions: first derivatives, once. Internal to lm/; the source
// is the one file that includes torch's custom_function.h.
#pragma once

#include <memory>

#include "allot/lm/forward.h"
#include "allot/lm/fused_layers.h"
#include "allot/lm/score_chunks.h"
#include "allot/lm/tensor.h"

namespace allot::lm {

// Hidden states of `layers`, a pass over `model` that has not run, with gradients for the model's
// parameters.
at::Tensor layer_outputs(const Model& model, std::shared_ptr<FusedLayers> layers);

// Log-probabilities and entropies [targets] with gradients for hidden [rows, dim] and head
// [vocab, dim].
TokenScores chunked_scores(const at::Tensor& hidden, const at::Tensor& head,
                           std::shared_ptr<ScoreChunks> chunks);

}  // namespace allot::lm
