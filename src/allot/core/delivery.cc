#include "allot/core/delivery.h"

#include <algorithm>
#include <cmath>
#include <functional>

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

const PlannedPrompt* find_planned(std::span<const PlannedPrompt> planned, PromptId prompt) {
  const auto at =
      std::lower_bound(planned.begin(), planned.end(), prompt,
                       [](const PlannedPrompt& p, PromptId id) { return p.prompt < id; });
  return at != planned.end() && at->prompt == prompt ? &*at : nullptr;
}

Delivery::Delivery(Grain grain, Version policy, std::uint32_t max_tokens, RolloutId first) {
  open(grain, policy, max_tokens, first);
}

void Delivery::open(Grain grain, Version policy, std::uint32_t max_tokens, RolloutId first) {
  clear();
  grain_ = grain;
  policy_ = policy;
  max_tokens_ = max_tokens;
  first_ = first;
}

void Delivery::clear() {
  request_sizes_.clear();
  slots_.clear();
  frontier_ = request_ = 0;
  abandoned_ = false;
  rebuild();
}

Issued Delivery::issue(const GenRequest& request) {
  Progress& progress = prompts_[request.prompt];
  const Issued issued{.prompt = request.prompt,
                      .first = next_id(),
                      .n = request.n,
                      .first_seq = progress.issued,
                      .tag = request.tag,
                      .round = progress.requests++,
                      .temperature = request.temperature,
                      .exemplar = request.exemplar};
  request_sizes_.push_back(request.n);
  for (std::uint32_t i = 0; i < request.n; ++i) {
    Slot slot;
    slot.outcome.record = {.id = issued.first + i,
                           .prompt = request.prompt,
                           .tag = request.tag,
                           .seq = issued.first_seq + i,
                           .round = issued.round};
    slots_.push_back(std::move(slot));
    append(progress, slots_.size() - 1);
  }
  return issued;
}

void Delivery::append(Progress& progress, std::uint64_t index) {
  (progress.issued++ == 0 ? progress.first : slots_[progress.last].next) = index;
  progress.last = index;
  if (progress.head == kNone) progress.head = index;
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
  ++call_;
  for (const Outcome& outcome : outcomes) {
    check(outcome);
    std::uint64_t& call = slots_[outcome.id - first_].call;
    if (call == call_) refuse(outcome, "is reported twice; one outcome per rollout is needed");
    call = call_;
  }
  for (const Outcome& outcome : outcomes) {
    Slot& slot = slots_[outcome.id - first_];
    slot.reported = true;
    if (abandoned_) continue;  // too late: it was handed out, or withheld, as cancelled
    complete(slot.outcome, outcome);
    if (grain_ != Grain::Rollout) continue;
    const std::uint64_t head = prompts_.find(slot.outcome.record.prompt)->head;
    if (head == outcome.id - first_) wake(head);
  }
}

void Delivery::cancel(PromptId prompt, std::vector<RolloutId>& ids) {
  const Progress* progress = prompts_.find(prompt);
  if (!progress) return;
  for (std::uint64_t i = progress->head; i != kNone; i = slots_[i].next) {
    if (!slots_[i].cancelled) ids.push_back(slots_[i].outcome.record.id);
    slots_[i].cancelled = true;
  }
}

void Delivery::abandon() {
  if (abandoned_) return;
  for (Slot& slot : slots_) slot.cancelled |= !slot.reported;
  abandoned_ = true;
  wake_all();
}

// A prompt's head becomes available to Grain::Rollout once it has arrived: when it is reported, or
// when it becomes the head. Each of these happens once, so that no slot is in the heap twice.
void Delivery::wake(std::uint64_t head) {
  if (grain_ != Grain::Rollout || head == kNone || !arrived(slots_[head])) return;
  heads_.push_back(head);
  std::push_heap(heads_.begin(), heads_.end(), std::greater<>());
}

void Delivery::wake_all() {
  heads_.clear();
  for (const auto& [prompt, progress] : prompts_) wake(progress.head);
}

// Round, Request: how many slots from frontier_ on make up the next batch; 0 if it is not complete.
std::uint64_t Delivery::ready() {
  while (arrived_ < slots_.size() && arrived(slots_[arrived_])) ++arrived_;
  if (frontier_ == slots_.size()) return 0;
  const std::uint64_t size =
      grain_ == Grain::Round ? slots_.size() - frontier_ : request_sizes_[request_];
  return frontier_ + size <= arrived_ ? size : 0;
}

std::span<const Outcome> Delivery::next() {
  batch_.clear();
  if (grain_ == Grain::Rollout) {
    if (heads_.empty()) return {};
    std::pop_heap(heads_.begin(), heads_.end(), std::greater<>());
    const std::uint64_t head = heads_.back();
    heads_.pop_back();
    hand_out(head);
  } else if (const std::uint64_t size = ready(); size > 0) {
    for (const std::uint64_t end = frontier_ + size; frontier_ < end; ++frontier_)
      hand_out(frontier_);
    ++request_;
  }
  return batch_;
}

void Delivery::hand_out(std::uint64_t index) {
  Slot& slot = slots_[index];
  Progress& progress = *prompts_.find(slot.outcome.record.prompt);
  if (slot.cancelled)
    make_cancelled(slot.outcome, policy_,
                   max_tokens_ > 0 ? max_tokens_ : slot.outcome.record.tokens);
  slot.answer = slot.outcome.record.answer_class;
  slot.outcome.record.answer_class = number_answer(progress, slot.answer);
  slot.delivered = true;
  progress.head = slot.next;
  wake(progress.head);
  batch_.push_back(slot.outcome.view());
}

// The answers of a prompt are 0, 1, 2, ... in the order in which they were first handed out;
// `answer` is that of its head.
std::int64_t Delivery::number_answer(const Progress& progress, std::int64_t answer) const {
  if (answer < 0) return answer;
  std::int64_t fresh = 0;
  for (std::uint64_t i = progress.first; i != progress.head; i = slots_[i].next) {
    const std::int64_t number = slots_[i].outcome.record.answer_class;
    if (slots_[i].answer == answer) return number;
    fresh = std::max(fresh, number + 1);
  }
  return fresh;
}

std::vector<RolloutId> Delivery::unreported() const {
  std::vector<RolloutId> ids;
  ids.reserve(static_cast<std::size_t>(std::count_if(
      slots_.begin(), slots_.end(), [](const Slot& slot) { return !slot.reported; })));
  for (const Slot& slot : slots_)
    if (!slot.reported) ids.push_back(slot.outcome.record.id);
  return ids;
}

const OwnedOutcome* Delivery::delivered(RolloutId id) const {
  if (!knows(id) || !slots_[id - first_].delivered) return nullptr;
  return &slots_[id - first_].outcome;
}

PlannedStep Delivery::planned() const {
  PlannedStep step;
  step.outcomes.reserve(slots_.size());
  step.prompts.reserve(prompts_.size());
  for (const auto& [prompt, progress] : prompts_) {
    const std::size_t before = step.outcomes.size();
    for (std::uint64_t i = progress.first; i != progress.head; i = slots_[i].next)
      step.outcomes.push_back(slots_[i].outcome.view());
    step.prompts.push_back(
        {prompt, progress.requests, progress.issued, std::span(step.outcomes).subspan(before)});
  }
  return step;
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
  prompts_.clear();
  arrived_ = 0;
  for (std::uint64_t i = 0; i < slots_.size(); ++i) {
    const Outcome& record = slots_[i].outcome.record;
    Progress& progress = prompts_[record.prompt];
    progress.requests = record.round + 1;
    append(progress, i);
    if (slots_[i].delivered) progress.head = kNone;  // in issue order, so it was the head
  }
  wake_all();
}

}  // namespace allot
