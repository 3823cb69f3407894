// What a checked batch means for the books: zero causes, prompt records, what was generated,
// trained and discarded, and what stays held. One object serves one finalize().
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "allot/core/batch_check.h"
#include "allot/core/delivery.h"
#include "allot/core/held_rollouts.h"
#include "allot/core/ledger.h"
#include "allot/core/prompt_table.h"
#include "allot/core/step_metrics.h"
#include "allot/core/types.h"

namespace allot {

// A rollout of this step that was handed out, or one that is held.
std::optional<KnownRollout> known_rollout(const Delivery& delivery, const HeldRollouts& held,
                                          RolloutId id);

class BatchBooks {
 public:
  // Refers to its arguments. The batch must have passed check_batch.
  BatchBooks(TrainBatch& batch, std::span<const PlannedPrompt> planned, const Delivery& delivery,
             const HeldRollouts& held);

  // Sets the cause in the report of every planned prompt from the outcomes of the step. Where the
  // batch pools rollouts of earlier steps the step alone does not show the group: the method's own
  // cause stands. A singleton that ships with an advantage has a baseline.
  void fill_causes(double resolution);

  // Parallel to the items.
  std::vector<ShippedRollout> shipped() const;

  // Enters the step into the records of its prompts.
  void enter(Ledger& ledger, std::uint64_t step) const;

  // What this step generated, trained and discarded; moves rollouts into and out of `held`.
  // `trained`: the rollouts of the items, ascending.
  Spending settle(HeldRollouts& held, std::span<const RolloutId> trained) const;

 private:
  // The groups of one prompt.
  struct Groups {
    std::uint64_t items = 0;
    double size = 0;      // sum of abs(advantage)
    bool pooled = false;  // with rollouts of earlier steps
  };
  ShippedRollout shipped(const TrainItem& item) const;

  TrainBatch& batch_;
  std::span<const PlannedPrompt> planned_;
  const Delivery& delivery_;
  const HeldRollouts& held_;
  PromptTable<Groups> groups_;
};

}  // namespace allot
