#include "allot/core/delivery.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "allot/core/error.h"

namespace allot {
namespace {

[[noreturn]] void refuse(const Outcome& outcome, std::string_view what) {
  throw Error(
      ErrorKind::Internal, "controller.observe",
      concat("the outcome of rollout ", outcome.id, " (prompt ", outcome.prompt, ") ", what));
}

// Takes over what the host measured and keeps the identity given at issue. A field that is not
// defined for this ending gets the same value whatever the host left in it.
void complete(OwnedOutcome& into, const Outcome& from) {
  Outcome& to = into.record;
  to.behaviour = from.behaviour;
  to.status = from.status;
  to.tokens = from.tokens;
  to.mean_logprob = from.mean_logprob;
  to.mean_entropy = from.mean_entropy;
  const bool ended = from.status == Status::Ok || from.status == Status::Truncated;
  to.scoring = ended ? from.scoring : Scoring::NotScorable;
  const bool scored = to.scoring == Scoring::Scored;
  to.reward = scored ? from.reward : 0;
  to.correct = scored && from.correct;
  to.parsed = scored && from.parsed;
  to.answer_class = ended ? std::max<std::int64_t>(from.answer_class, -1) : -1;
  if (ended) into.parts.assign(from.parts.begin(), from.parts.end());
}

// `tokens`: the charge; nothing that depends on how far the rollout had come is left.
void make_cancelled(OwnedOutcome& outcome, Version policy, std::uint32_t tokens) {
  Outcome ending;
  ending.behaviour = policy;
  ending.status = Status::Cancelled;
  ending.tokens = tokens;
  outcome.parts.clear();
  complete(outcome, ending);
}

}  // namespace

Delivery::Delivery(Grain grain, Version policy, std::uint32_t max_tokens, RolloutId first)
    : grain_(grain), policy_(policy), max_tokens_(max_tokens), first_(first) {}

Issued Delivery::issue(const GenRequest& request) {
  Progress& progress = prompts_[request.prompt];
  const Issued issued{.prompt = request.prompt,
                      .first = next_id(),
                      .n = request.n,
                      .first_seq = static_cast<std::uint32_t>(progress.slots.size()),
                      .tag = request.tag,
                      .round = progress.requests++,
                      .temperature = request.temperature,
                      .exemplar = request.exemplar};
  request_sizes_.push_back(request.n);
  for (std::uint32_t i = 0; i < request.n; ++i) {
    progress.slots.push_back(slots_.size());
    Slot slot;
    slot.outcome.record = {.id = issued.first + i,
                           .prompt = request.prompt,
                           .tag = request.tag,
                           .seq = issued.first_seq + i,
                           .round = issued.round};
    slots_.push_back(std::move(slot));
  }
  waiting_ += request.n;
  return issued;
}

std::uint32_t Delivery::requests_of(PromptId prompt) const {
  const Progress* progress = prompts_.find(prompt);
  return progress ? progress->requests : 0;
}

void Delivery::check(const Outcome& outcome) const {
  if (!knows(outcome.id))
    refuse(outcome, concat("was not asked for in this step; its ids are ", first_, " .. ",
                           next_id(), " (end excluded)"));
  const Slot& slot = slots_[outcome.id - first_];
  if (slot.reported) refuse(outcome, "was reported before; one outcome per rollout is needed");
  if (outcome.prompt != slot.outcome.record.prompt)
    refuse(outcome,
           concat("names the wrong prompt; it was asked of prompt ", slot.outcome.record.prompt));
  if (max_tokens_ > 0 && outcome.tokens > max_tokens_)
    refuse(outcome,
           concat("has ", outcome.tokens, " tokens; at most ", max_tokens_, " were asked for"));
  if (outcome.scoring == Scoring::Scored && !std::isfinite(outcome.reward))
    refuse(outcome, concat("is Scored with reward ", outcome.reward,
                           "; a finite reward or Scoring::NotScorable is needed"));
  if (!std::isfinite(outcome.mean_logprob) || !std::isfinite(outcome.mean_entropy))
    refuse(outcome, "has a mean log-probability or entropy that is not finite");
  if (std::any_of(outcome.parts.begin(), outcome.parts.end(),
                  [](float part) { return std::isinf(part); }))
    refuse(outcome, "has an infinite reward part; finite, or NaN where not scorable, is needed");
}

void Delivery::report(std::span<const Outcome> outcomes) {
  std::set<RolloutId> seen;
  for (const Outcome& outcome : outcomes) {
    check(outcome);
    if (!seen.insert(outcome.id).second)
      refuse(outcome, "is reported twice; one outcome per rollout is needed");
  }
  for (const Outcome& outcome : outcomes) {
    Slot& slot = slots_[outcome.id - first_];
    slot.reported = true;
    if (abandoned_) continue;  // too late: it was handed out, or withheld, as cancelled
    complete(slot.outcome, outcome);
    --waiting_;
    wake(*prompts_.find(slot.outcome.record.prompt));
  }
}

std::vector<RolloutId> Delivery::cancel(PromptId prompt) {
  std::vector<RolloutId> ids;
  const Progress* progress = prompts_.find(prompt);
  if (!progress) return ids;
  for (std::size_t i = progress->delivered; i < progress->slots.size(); ++i) {
    Slot& slot = slots_[progress->slots[i]];
    if (!slot.cancelled) ids.push_back(slot.outcome.record.id);
    slot.cancelled = true;
  }
  return ids;
}

void Delivery::abandon() {
  if (abandoned_) return;
  for (Slot& slot : slots_) slot.cancelled |= !slot.reported;
  abandoned_ = true;
  rebuild();
}

// The prompt's next slot becomes available to Grain::Rollout once it has arrived.
void Delivery::wake(const Progress& progress) {
  if (grain_ != Grain::Rollout || progress.delivered == progress.slots.size()) return;
  const std::uint64_t head = progress.slots[progress.delivered];
  if (arrived(slots_[head])) heads_.insert(head);
}

// Slots of the next batch.
std::vector<std::uint64_t> Delivery::ready() const {
  if (grain_ == Grain::Rollout)
    return heads_.empty() ? std::vector<std::uint64_t>{} : std::vector{*heads_.begin()};
  if (frontier_ == slots_.size()) return {};
  if (grain_ == Grain::Round && waiting_ > 0) return {};
  std::vector<std::uint64_t> batch(grain_ == Grain::Round ? slots_.size() - frontier_
                                                          : request_sizes_[request_]);
  std::iota(batch.begin(), batch.end(), frontier_);
  const bool complete = std::all_of(batch.begin(), batch.end(),
                                    [this](std::uint64_t i) { return arrived(slots_[i]); });
  return complete ? batch : std::vector<std::uint64_t>{};
}

std::vector<Outcome> Delivery::next() {
  const std::vector<std::uint64_t> batch = ready();
  std::vector<Outcome> outcomes;
  for (const std::uint64_t index : batch) outcomes.push_back(hand_out(index));
  if (grain_ != Grain::Rollout && !batch.empty()) {
    frontier_ += batch.size();
    ++request_;
  }
  return outcomes;
}

Outcome Delivery::hand_out(std::uint64_t index) {
  Slot& slot = slots_[index];
  Progress& progress = *prompts_.find(slot.outcome.record.prompt);
  if (slot.cancelled)
    make_cancelled(slot.outcome, policy_,
                   max_tokens_ > 0 ? max_tokens_ : slot.outcome.record.tokens);
  std::int64_t& answer = slot.outcome.record.answer_class;
  if (answer >= 0) {
    const auto fresh = static_cast<std::int64_t>(progress.answer_class.size());
    answer = progress.answer_class.emplace(answer, fresh).first->second;
  }
  slot.delivered = true;
  ++progress.delivered;
  heads_.erase(index);
  wake(progress);
  return slot.outcome.view();
}

std::vector<RolloutId> Delivery::unreported() const {
  std::vector<RolloutId> ids;
  for (const Slot& slot : slots_)
    if (!slot.reported) ids.push_back(slot.outcome.record.id);
  return ids;
}

const OwnedOutcome* Delivery::delivered(RolloutId id) const {
  if (!knows(id) || !slots_[id - first_].delivered) return nullptr;
  return &slots_[id - first_].outcome;
}

std::vector<PlannedPrompt> Delivery::planned() const {
  std::vector<PlannedPrompt> all;
  for (const auto& [prompt, progress] : prompts_) {
    all.push_back({prompt, progress.requests, static_cast<std::uint32_t>(progress.slots.size())});
    for (std::uint32_t i = 0; i < progress.delivered; ++i)
      all.back().outcomes.push_back(slots_[progress.slots[i]].outcome.view());
  }
  return all;
}

Delivery::Withheld Delivery::withheld() const {
  Withheld sum;
  for (const Slot& slot : slots_) {
    if (slot.delivered) continue;
    ++sum.rollouts;
    const bool known = slot.reported && !slot.cancelled;
    sum.tokens += known || max_tokens_ == 0 ? slot.outcome.record.tokens : max_tokens_;
  }
  return sum;
}

void Delivery::rebuild() {
  waiting_ = 0;
  heads_.clear();
  for (const Slot& slot : slots_) waiting_ += !arrived(slot);
  for (const auto& [id, progress] : prompts_) wake(progress);
}

}  // namespace allot
