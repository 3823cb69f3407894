#include "allot/core/batch_books.h"

#include <algorithm>
#include <cmath>

#include "allot/core/zero_cause.h"

namespace allot {

std::optional<KnownRollout> known_rollout(const Delivery& delivery, const HeldRollouts& held,
                                          RolloutId id) {
  if (const OwnedOutcome* now = delivery.delivered(id))
    return KnownRollout{.prompt = now->record.prompt,
                        .behaviour = now->record.behaviour,
                        .scored = now->record.scoring == Scoring::Scored,
                        .held = false};
  if (const HeldRollout* old = held.find(id))
    return KnownRollout{
        .prompt = old->prompt, .behaviour = old->behaviour, .scored = old->scored, .held = true};
  return std::nullopt;
}

BatchBooks::BatchBooks(TrainBatch& batch, std::span<const PlannedPrompt> planned,
                       const Delivery& delivery, const HeldRollouts& held)
    : batch_(batch), planned_(planned), delivery_(delivery), held_(held) {
  for (const TrainGroup& group : batch_.groups) {
    Groups& groups = groups_[group.prompt];
    groups.items += group.count;
    for (std::uint32_t i = group.first; i < group.first + group.count; ++i) {
      groups.size += std::abs(batch_.items[i].advantage);
      groups.pooled |= !delivery_.knows(batch_.items[i].rollout);
    }
  }
}

void BatchBooks::fill_causes(double resolution) {
  for (GroupReport& report : batch_.reports) {
    const PlannedPrompt* const prompt = find_planned(planned_, report.prompt);
    const Groups* const groups = groups_.find(report.prompt);
    if (!prompt || (groups && groups->pooled)) continue;
    const auto singletons =
        groups && groups->size > 0 ? SingletonBaseline::Exists : SingletonBaseline::None;
    report.cause = zero_cause(prompt->outcomes, resolution, singletons);
  }
}

ShippedRollout BatchBooks::shipped(const TrainItem& item) const {
  if (const OwnedOutcome* now = delivery_.delivered(item.rollout))
    return {now->record.prompt, now->record.reward, now->record.tokens};
  const HeldRollout& old = *held_.find(item.rollout);
  return {old.prompt, old.reward, old.tokens};
}

std::vector<ShippedRollout> BatchBooks::shipped() const {
  std::vector<ShippedRollout> all;
  all.reserve(batch_.items.size());
  for (const TrainItem& item : batch_.items) all.push_back(shipped(item));
  return all;
}

void BatchBooks::enter(Ledger& ledger, std::uint64_t step) const {
  std::vector<ZeroCause> causes(planned_.size());  // every planned prompt has a report
  for (const GroupReport& report : batch_.reports)
    if (const PlannedPrompt* prompt = find_planned(planned_, report.prompt))
      causes[static_cast<std::size_t>(prompt - planned_.data())] = report.cause;
  for (std::size_t i = 0; i < planned_.size(); ++i)
    ledger.observe(planned_[i].prompt, step, planned_[i].outcomes, causes[i]);
  for (const auto& [prompt, groups] : groups_)
    ledger.shipped(prompt, groups.size / static_cast<double>(groups.items));
}

Spending BatchBooks::settle(HeldRollouts& held, std::span<const RolloutId> trained) const {
  Spending spending;
  for (const TrainItem& item : batch_.items) spending.trained.add(1, shipped(item).tokens);
  for (const RolloutId id : trained) held.mark_trained(id);
  spending.discarded = held.drop(batch_.release);

  std::vector<RolloutId> kept = batch_.hold;
  std::sort(kept.begin(), kept.end());
  const auto among = [](std::span<const RolloutId> ids, RolloutId id) {
    return std::binary_search(ids.begin(), ids.end(), id);
  };
  for (const PlannedPrompt& prompt : planned_)
    for (const Outcome& outcome : prompt.outcomes) {
      spending.generated.add(1, outcome.tokens);
      if (!among(trained, outcome.id) && !among(kept, outcome.id))
        spending.discarded.add(1, outcome.tokens);
    }
  const Delivery::Withheld withheld = delivery_.withheld();
  spending.generated.add(withheld.rollouts, withheld.tokens);
  spending.discarded.add(withheld.rollouts, withheld.tokens);

  for (const RolloutId id : batch_.hold)
    if (const OwnedOutcome* now = delivery_.delivered(id))
      held.hold(id, {.prompt = now->record.prompt,
                     .behaviour = now->record.behaviour,
                     .reward = now->record.reward,
                     .tokens = now->record.tokens,
                     .scored = now->record.scoring == Scoring::Scored,
                     .trained = among(trained, id)});
  return spending;
}

}  // namespace allot
