// Log-probabilities of targets, chunk by chunk: the rows that predict something are cut into chunks
// whose logits are small, and a row that predicts several targets is computed once. Internal to
// lm/.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "allot/lm/forward.h"
#include "allot/lm/packed_rows.h"
#include "allot/lm/tensor.h"

namespace allot::lm {

// Some rows and all targets that they predict. Index tensors are int64 on the model's device.
struct ScoreChunk {
  at::Tensor rows;    // [n] packed rows, ascending; the last one may come several times
  at::Tensor target;  // [m] numbers of the targets
  at::Tensor local;   // [m] which of `rows` predicts it
  at::Tensor token;   // [m]
};

// Of the loss, by target. Undefined: 0.
struct ScoreGradients {
  at::Tensor logprob, entropy;
};

// What is computed of a chunk's logits once the matrix product is done.
class ScoreMath {
 public:
  virtual ~ScoreMath() = default;

  // logits [n, vocab] may be overwritten. Fills log_sum [n] (the log-normaliser of logits / T) and
  // the chunk's entries of logprob and entropy [targets].
  virtual void forward(const ScoreChunk& chunk, at::Tensor logits, at::Tensor log_sum,
                       at::Tensor logprob, at::Tensor entropy) const = 0;

  // Overwrites logits [n, vocab] by the gradient. `entropy`: of the targets, as forward made it.
  virtual void backward(const ScoreChunk& chunk, at::Tensor logits, const at::Tensor& log_sum,
                        const at::Tensor& entropy, const ScoreGradients& gradients) const = 0;
};

struct ScoreChunks {
  std::int64_t targets = 0;
  std::int64_t rows = 0;  // of all chunks
  std::vector<ScoreChunk> chunks;
  std::unique_ptr<ScoreMath> math;
};

std::shared_ptr<ScoreChunks> make_score_chunks(const PackedRows& rows, int vocab,
                                               double temperature, at::Device device,
                                               Kernels kernels);

}  // namespace allot::lm
