// What a policy says of targets beyond the sampled token: the likeliest tokens and chosen ones.
// Without gradient, by the chunked head, so that no [targets, vocab] tensor exists.
#pragma once

#include "allot/lm/forward.h"
#include "allot/lm/model.h"
#include "allot/lm/packed_rows.h"
#include "allot/lm/tensor.h"

namespace allot::lm {

struct FeatureWishes {
  int likeliest = 0;      // tokens; at most the vocabulary's size are given
  at::Tensor chosen_ids;  // int64 [targets, n] on the model's device; undefined: none
};

// On the model's device; log-probabilities at the temperature, in at least float.
struct TargetFeatures {
  at::Tensor logprob, entropy;          // [targets]
  at::Tensor likeliest_ids, likeliest;  // [targets, k], falling; undefined unless wished
  at::Tensor chosen;                    // [targets, n], likewise
};

// `hidden` [rows, dim]. Throws Error(Internal) for ids that do not fit.
TargetFeatures target_features(const Model& model, const at::Tensor& hidden, const PackedRows& rows,
                               double temperature, Kernels kernels, const FeatureWishes& wishes);

}  // namespace allot::lm
