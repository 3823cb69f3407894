#include "allot/core/batch_books.h"

#include <cmath>
#include <map>
#include <set>
#include <utility>

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

void BatchBooks::fill_causes(double resolution) {
  std::set<PromptId> pooled, shaped;  // with rollouts of earlier steps; with an advantage
  for (const TrainGroup& group : batch_.groups)
    for (std::uint32_t i = group.first; i < group.first + group.count; ++i) {
      if (!delivery_.knows(batch_.items[i].rollout)) pooled.insert(group.prompt);
      if (batch_.items[i].advantage != 0) shaped.insert(group.prompt);
    }
  std::map<PromptId, const PlannedPrompt*> planned;
  for (const PlannedPrompt& prompt : planned_) planned[prompt.prompt] = &prompt;
  for (GroupReport& report : batch_.reports) {
    const auto prompt = planned.find(report.prompt);
    if (prompt == planned.end() || pooled.count(report.prompt)) continue;
    const auto singletons =
        shaped.count(report.prompt) ? SingletonBaseline::Exists : SingletonBaseline::None;
    report.cause = zero_cause(prompt->second->outcomes, resolution, singletons);
  }
}

std::vector<ShippedRollout> BatchBooks::shipped() const {
  std::vector<ShippedRollout> shipped;
  for (const TrainItem& item : batch_.items) {
    if (const OwnedOutcome* now = delivery_.delivered(item.rollout)) {
      shipped.push_back({now->record.prompt, now->record.reward, now->record.tokens});
    } else {
      const HeldRollout& old = *held_.find(item.rollout);
      shipped.push_back({old.prompt, old.reward, old.tokens});
    }
  }
  return shipped;
}

void BatchBooks::enter(Ledger& ledger, std::uint64_t step) const {
  std::map<PromptId, ZeroCause> cause;
  for (const GroupReport& report : batch_.reports) cause[report.prompt] = report.cause;
  for (const PlannedPrompt& prompt : planned_)
    ledger.observe(prompt.prompt, step, prompt.outcomes, cause[prompt.prompt]);

  std::map<PromptId, std::pair<double, std::uint64_t>> sizes;  // sum of abs(advantage), items
  for (const TrainGroup& group : batch_.groups)
    for (std::uint32_t i = group.first; i < group.first + group.count; ++i) {
      sizes[group.prompt].first += std::abs(batch_.items[i].advantage);
      ++sizes[group.prompt].second;
    }
  for (const auto& [prompt, sum] : sizes)
    ledger.shipped(prompt, sum.first / static_cast<double>(sum.second));
}

Spending BatchBooks::settle(HeldRollouts& held) const {
  Spending spending;
  for (const ShippedRollout& rollout : shipped()) spending.trained.add(1, rollout.tokens);

  std::set<RolloutId> trained;
  for (const TrainItem& item : batch_.items) {
    trained.insert(item.rollout);
    held.mark_trained(item.rollout);
  }
  spending.discarded = held.drop(batch_.release);
  std::set<RolloutId> kept = trained;
  kept.insert(batch_.hold.begin(), batch_.hold.end());
  for (const PlannedPrompt& prompt : planned_)
    for (const Outcome& outcome : prompt.outcomes) {
      spending.generated.add(1, outcome.tokens);
      if (!kept.count(outcome.id)) spending.discarded.add(1, outcome.tokens);
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
                     .trained = trained.count(id) > 0});
  return spending;
}

}  // namespace allot
