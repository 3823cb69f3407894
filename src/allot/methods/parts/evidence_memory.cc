#include "allot/methods/parts/evidence_memory.h"

#include "allot/methods/parts/group_pool.h"

namespace allot {
namespace {

constexpr double kKeptOfRanges = 0.9;  // per step

}  // namespace

void EvidenceMemory::learn(std::span<const Outcome> outcomes) {
  for (const Outcome& outcome : outcomes) {
    PromptMemory& known = prompts_[outcome.prompt];
    if (outcome.status == Status::Ok || outcome.status == Status::Truncated) {
      length_sum_ -= known.mean_length();
      met_ += known.rollouts == 0;
      known.tokens += outcome.tokens;
      ++known.rollouts;
      length_sum_ += known.mean_length();
    }
    if (is_scored(outcome)) (outcome.correct ? known.correct : known.wrong) += 1;
  }
}

void EvidenceMemory::fade(PromptId prompt, double kept) {
  PromptMemory* known = prompts_.find(prompt);
  if (!known) return;
  known->correct *= static_cast<float>(kept);
  known->wrong *= static_cast<float>(kept);
}

void EvidenceMemory::close(std::span<const Tally> step) {
  squared_ranges_ *= kKeptOfRanges;
  ranges_ *= kKeptOfRanges;
  for (const Tally& tally : step) {
    if (tally.range() > 0) {
      squared_ranges_ += tally.range() * tally.range();
      ++ranges_;
    }
    if (tally.generated == 0) continue;
    const std::uint32_t now = prompts_[tally.prompt].rollouts, before = now - tally.generated;
    if (before == 0)
      first_blocks_.add(tally.first_correct, tally.first_scored);
    else if (--visits_[before] == 0)
      visits_.erase(before);
    ++visits_[now];
  }
}

std::optional<BetaBelief> EvidenceMemory::stated_prior(PromptId prompt,
                                                       const BetaBelief& prior) const {
  if (!stated_.rate(prompt)) return std::nullopt;
  return BetaBelief(stated_.prior(prompt, {prior.a, prior.b}));
}

BetaBelief EvidenceMemory::belief(PromptId prompt, const BetaBelief& prior) const {
  const PromptMemory* known = prompts_.find(prompt);
  return known ? BetaBelief{prior.a + known->correct, prior.b + known->wrong} : prior;
}

double EvidenceMemory::units(std::uint64_t tokens, std::uint32_t rollouts) const {
  return mean_length() > 0 ? static_cast<double>(tokens) / mean_length() : rollouts;
}

double EvidenceMemory::relative_length(PromptId prompt) const {
  const PromptMemory* known = prompts_.find(prompt);
  return known && known->rollouts > 0 ? units(known->tokens, known->rollouts) / known->rollouts : 1;
}

double EvidenceMemory::range_scale(std::span<const Tally> step) const {
  double squares = squared_ranges_, count = ranges_;
  for (const Tally& tally : step) {
    if (tally.range() <= 0) continue;
    squares += tally.range() * tally.range();
    ++count;
  }
  return count > 0 ? count / squares : 1;
}

}  // namespace allot
