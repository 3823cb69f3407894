// What a model says of the tokens of rows, without gradient: log-probabilities and whatever else a
// loss may ask of a policy (objective/requirements.h).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "allot/lm/forward.h"
#include "allot/lm/model.h"
#include "allot/lm/tensor.h"
#include "allot/local/policy_gradient.h"
#include "allot/local/train_rows.h"

namespace allot {

// Some tokens and their log-probabilities.
struct TokenList {
  std::vector<std::int64_t> ids;
  std::vector<double> logprob;
};

// All by token of the row.
struct RowScore {
  std::vector<double> logprob, entropy;
  // Where wished:
  std::vector<std::vector<double>> hidden;  // HiddenPart of the last state, before the head
  std::vector<TokenList> likeliest;         // falling
  std::vector<std::vector<double>> chosen;  // log-probabilities at the ids of TrainRow::top
};

enum class ChosenIds { None, TopOfRows };
enum class HiddenPart { None, Length, All };  // nothing, one number, [H] numbers

struct ScoreWishes {
  int likeliest = 0;  // tokens per list, at most the vocabulary's size
  ChosenIds chosen = ChosenIds::None;
  HiddenPart hidden = HiddenPart::None;
};

struct RowScores {
  std::vector<RowScore> rows;   // by `which`
  std::uint64_t positions = 0;  // run forward
};

// Of the rows `which` (ascending), at the temperature. `model` need not be the one that is trained.
RowScores score_rows(const lm::Model& model, const TrainRows& rows,
                     std::span<const std::uint32_t> which, const PolicyGradientSettings& settings,
                     const ScoreWishes& wishes = {});

// ---- shared with the pass that has gradients ----

// The kernels of a pass over `model`.
lm::Kernels kernels_of(const lm::Model& model, Matmul matmul);

// Rows `which` in micro-batches, by shard.
using Shards = std::vector<std::vector<MicroBatch>>;
Shards shards_of(const TrainRows& rows, std::span<const std::uint32_t> which,
                 const PackSettings& settings);
std::uint64_t positions_of(const Shards& shards);

// Doubles on the CPU, whatever the type and device.
std::vector<double> to_host(const at::Tensor& tensor);

}  // namespace allot
