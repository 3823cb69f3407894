// A TrainBatch with everything the learner needs of it: checked, tokenized, cut into mini-batches.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "allot/core/types.h"
#include "allot/local/packing.h"
#include "allot/loop/prompt_source.h"
#include "allot/loop/rollout_store.h"
#include "allot/text/tokenizer.h"

namespace allot {

// One item of a batch.
struct TrainRow {
  std::uint32_t group = 0;  // index in TrainBatch::groups
  double advantage = 0, weight = 1;
  Anchor anchor_kind = Anchor::StepStart;
  const StoredRollout* stored = nullptr;
  // Log-probabilities of the ratio's denominator, [tokens]; empty: the current policy's, detached.
  std::vector<double> anchor;

  std::size_t tokens() const { return stored->rollout.tokens.size(); }
  // Others have no gradient and are not computed.
  bool active() const { return advantage != 0 && weight != 0 && tokens() > 0; }
};

struct TrainRows {
  std::vector<std::vector<std::int32_t>> prompts;  // tokens, by group
  std::vector<TrainRow> rows;                      // by group
};

// Refers to `store`. Throws Error(Internal) for groups that do not cover the items once each, a
// rollout of another prompt, or an advantage or weight that is not finite; Error(Data) for a
// prompt without tokens or a rollout beyond `context`. Behaviour anchors are filled in.
TrainRows train_rows(const TrainBatch& batch, const RolloutStore& store,
                     const PromptSource& prompts, const Tokenizer& tokenizer, int context);

// Ranges of rows, whole groups each and at least one, of about `wanted` rows (0: all in one).
struct RowRange {
  std::size_t first = 0, count = 0;
};
std::vector<RowRange> mini_batches(const TrainRows& rows, std::size_t wanted);

// The given rows (indices, ascending) for pack(); their numbers are the indices.
std::vector<PackGroup> pack_groups(const TrainRows& rows, std::span<const std::uint32_t> which);

}  // namespace allot
