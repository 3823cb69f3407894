// Draws one token from logits by the inverse of the cumulative distribution, in vocabulary order:
// the first token whose cumulative probability exceeds the uniform number.
//
// Truncation keeps, in this order: the top_k most probable tokens; of these the smallest set of
// most probable ones with at least top_p of their probability (Holtzman et al. 2020, arXiv
// 1904.09751); of these the ones with at least min_p times the highest probability (Nguyen et al.
// 2024, arXiv 2407.01082). Equal probabilities rank by token id. At least one token is always kept.
#pragma once

#include <cstdint>
#include <vector>

#include "allot/lm/kernels/aligned_vector.h"

namespace allot::lm::kernels {

struct SamplerSettings {
  float temperature = 1;  // 0: the most probable token, the lowest id of equal ones
  float top_p = 1, min_p = 0;
  int top_k = 0;  // 0: off

  bool truncates() const { return top_p < 1 || min_p > 0 || top_k > 0; }
};

template <class T>
struct SampledToken {
  std::int32_t token = 0;
  T logprob = 0;       // of the full distribution at the temperature (at 1 where it is 0)
  T entropy = 0;       // of the same, in nats
  bool finite = true;  // false: the logits are not; the token is then meaningless, but in range
};

// Scratch of one thread.
template <class T>
struct SamplerScratch {
  AlignedVector<T> weights;        // exp(logit - max), [vocab] in whole vectors
  AlignedVector<T> block_largest;  // of 16 weights each, and so
  std::vector<double> block_sums;
  std::vector<std::int32_t> candidates;
};

// `uniform` in (0, 1).
template <class T>
SampledToken<T> sample_token(const T* logits, int vocab, const SamplerSettings& settings,
                             float uniform, SamplerScratch<T>& scratch);

}  // namespace allot::lm::kernels
