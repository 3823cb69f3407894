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
#include "allot/objective/loss_row.h"
#include "allot/text/tokenizer.h"

namespace allot {

// One item of a batch.
struct TrainRow {
  std::uint32_t group = 0;  // index in TrainBatch::groups
  double advantage = 0, weight = 1;
  Anchor anchor_kind = Anchor::StepStart;
  const StoredRollout* stored = nullptr;
  // What other policies say of the tokens, as far as the loss reads it; [tokens] or empty.
  std::vector<double> old;              // before the updates; empty: the current one, detached
  std::vector<double> reference;        // a frozen policy
  std::vector<double> token_advantage;  // instead of `advantage`
  std::vector<objective::TopK> top;     // likely tokens; `current` is filled in at each update

  std::size_t tokens() const { return stored->rollout.tokens.size(); }
  bool has_advantage() const;
  // Has a policy gradient.
  bool active() const { return weight != 0 && tokens() > 0 && has_advantage(); }
};

struct TrainRows {
  std::vector<std::vector<std::int32_t>> prompts;  // tokens, by group
  std::vector<TrainRow> rows;                      // by group
};

// Refers to `store`. Throws Error(Internal) for groups that do not cover the items once each, a
// rollout of another prompt, or an advantage or weight that is not finite; Error(Data) for a
// prompt without tokens or a rollout beyond `context`.
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
