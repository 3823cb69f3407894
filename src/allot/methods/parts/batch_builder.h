// Writes groups, items and reports into a TrainBatch.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "allot/core/types.h"
#include "allot/methods/parts/advantages.h"
#include "allot/methods/parts/group_pool.h"

namespace allot {

// Adds `kept` (positions in `group.rollouts`) with their advantages as one group. Nothing is added
// for an empty list. Returns the number of items.
std::uint32_t ship(TrainBatch& batch, const Group& group, std::span<const std::uint32_t> kept,
                   std::span<const double> advantages, Anchor anchor = Anchor::StepStart);

// The same with a weight for each. Nothing is added without a signal.
std::uint32_t ship(TrainBatch& batch, const Group& group, std::span<const std::uint32_t> kept,
                   std::span<const WeightedAdvantage> estimates);

// Of all scored rollouts.
std::uint32_t ship_scored(TrainBatch& batch, const Group& group, std::span<const double> advantages,
                          Anchor anchor = Anchor::StepStart);

// The items of a group of the batch.
std::span<TrainItem> items_of(TrainBatch& batch, const TrainGroup& group);

// Rewards of the scored rollouts, a list per group.
Ragged<double> scored_rewards(std::span<const Group> groups);

// Adds the report of a planned prompt. What fed the belief are its scored first-round outcomes:
// later ones were asked for after looking at rewards. It is admitted if something is shipped;
// `shipped` counts the items of all its groups in the batch.
void report(TrainBatch& batch, const Group& group, ZeroCause cause, std::uint32_t shipped);

// A group all of whose scored rollouts are to be trained on.
struct Shipment {
  const Group* group = nullptr;
  Anchor anchor = Anchor::StepStart;
};

// What becomes of a group of two or more whose advantages are all 0.
enum class ZeroSignal {
  Leave,  // not shipped: it would cost a backward pass and teach nothing
  Ship    // shipped with advantage 0: it dilutes the mean over groups
};

// The batch of whole groups: advantages by `rule` over all shipments, one report per `planned`
// group. A shipment refers to one of `planned` or to a group of an earlier step.
TrainBatch batch_of(std::span<const Shipment> shipments, std::span<const Group> planned,
                    const AdvantageRule& rule, ZeroSignal zero = ZeroSignal::Leave);

// The same where all planned groups are shipped, and nothing else.
TrainBatch batch_of(std::span<const Group> planned, const AdvantageRule& rule,
                    ZeroSignal zero = ZeroSignal::Leave);

}  // namespace allot
