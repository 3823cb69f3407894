// The transformer over packed rows, with gradients: the training path.
#pragma once

#include <cstdint>

#include "allot/lm/model.h"
#include "allot/lm/packed_rows.h"
#include "allot/lm/tensor.h"

namespace allot::lm {

// Implementations of the same mathematics. Fused: own CPU kernels with hand-written gradients
// (float and double). FusedBf16: likewise, but the factors of the layers' matrix products are
// rounded to BF16 (sums in F32, results rounded to BF16); weights, gradients, the head and all else
// keep the model's type. Reference: library operations only; readable, runs on every device.
enum class Kernels { Fused, FusedBf16, Reference };

// What a pass keeps for its gradients. LayerInputs: of each layer only what it begins with; the
// backward pass computes a layer again before it goes back through it. That is a forward pass more,
// gives the same bits, and needs the memory of one layer instead of all. For fused kernels.
enum class KeptActivations { All, LayerInputs };

// Final hidden states after the last norm. [rows, dim]
at::Tensor hidden_states(const Model& model, const PackedRows& rows, Kernels kernels,
                         KeptActivations kept = KeptActivations::All);

struct TokenScores {
  at::Tensor logprob;  // [targets] log pi(target) at the temperature; carries gradient
  at::Tensor entropy;  // [targets] of the full distribution, in nats; carries gradient
};

// The head in chunks, without a [targets, vocab] tensor kept for backward.
// `hidden` is [rows, dim]; temperature > 0 divides the logits.
TokenScores score_targets(const Model& model, const at::Tensor& hidden, const PackedRows& rows,
                          double temperature, Kernels kernels);

// True where the fused kernels run: a CPU model in float or double.
bool has_fused_kernels(const Model& model);

}  // namespace allot::lm
