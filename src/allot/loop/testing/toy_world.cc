#include "allot/loop/testing/toy_world.h"

#include <algorithm>
#include <cmath>

#include "allot/core/error.h"
#include "allot/core/state.h"

namespace allot::testing {

ToyPrompts::ToyPrompts(std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) {
    Prompt prompt;
    prompt.id = i;
    prompt.key = concat("toy-", i);
    prompt.text = "?";
    prompt.answer = "right";
    prompts_.emplace(i, std::move(prompt));
  }
}

void ToyPrompts::begin_step(std::uint64_t) { shown_in_step_ = 0; }

std::span<const PromptRef> ToyPrompts::candidates(std::size_t wanted, Draw draw) {
  shown_.clear();
  const std::size_t most = draw == Draw::Pool ? size() : wanted;
  while (shown_.size() < most && shown_in_step_ < size()) {
    shown_.push_back({cursor_ % size(), static_cast<std::uint32_t>(cursor_ / size()), {}});
    ++cursor_;
    ++shown_in_step_;
  }
  return shown_;
}

const Prompt& ToyPrompts::get(PromptId id) const { return prompts_.at(id); }

std::string ToyPrompts::save() const { return std::to_string(cursor_); }

void ToyPrompts::load(std::string_view state) {
  cursor_ = std::stoull(std::string(state));
  shown_in_step_ = 0;
}

double ToyPolicy::pass_rate(PromptId id) const { return 1 / (1 + std::exp(-logit.at(id))); }

void ToyEngine::submit(std::span<const Work> work) {
  for (const Work& request : work) {
    cost_.prefilled += request.prompt->text.size();
    for (std::uint32_t i = 0; i < request.issued.n; ++i) {
      RandomStream random({request.seed, RandomUse::Train, request.step, request.issued.prompt,
                           request.issued.first_seq + i});
      Rollout rollout;
      rollout.id = request.issued.first + i;
      rollout.prompt = request.issued.prompt;
      rollout.tag = request.issued.tag;
      rollout.seq = request.issued.first_seq + i;
      rollout.round = request.issued.round;
      rollout.behaviour = version_;
      rollout.text = random.uniform() < policy_.pass_rate(rollout.prompt) ? "right" : "wrong";
      const double end = random.uniform();
      if (end < failed) rollout.status = Status::Failed;
      if (end >= failed && end < failed + truncated) rollout.status = Status::Truncated;
      rollout.tokens.assign(1 + random.below(5), 7);
      rollout.logp.assign(rollout.tokens.size(), -0.5f);
      pending_.push_back(std::move(rollout));
    }
  }
}

void ToyEngine::cancel(std::span<const RolloutId> ids) {
  for (Rollout& rollout : pending_)
    if (std::find(ids.begin(), ids.end(), rollout.id) != ids.end())
      rollout.status = Status::Cancelled;
}

std::vector<Rollout> ToyEngine::wait() {
  if (on_wait) on_wait();
  order_.shuffle(std::span<Rollout>(pending_));
  const std::size_t n = pending_.empty() ? 0 : 1 + order_.below(pending_.size());
  std::vector<Rollout> finished(std::make_move_iterator(pending_.end() - n),
                                std::make_move_iterator(pending_.end()));
  pending_.resize(pending_.size() - n);
  for (const Rollout& rollout : finished) cost_.generated += rollout.tokens.size();
  return finished;
}

std::vector<Score> ToyVerifier::score(std::span<const Rollout> rollouts, const PromptSource&) {
  std::vector<Score> scores;
  for (const Rollout& rollout : rollouts) {
    Score score;
    score.correct = rollout.text == "right";
    score.reward = score.correct;
    score.answer = rollout.text;
    RandomStream random({3, RandomUse::Test, 0, rollout.id});
    if (random.uniform() < error_share) {
      score = {};
      score.scoring = Scoring::VerifierError;
      score.reason = "boom";
    }
    scores.push_back(std::move(score));
  }
  return scores;
}

Feedback ToyLearner::update(const TrainBatch& batch, const RolloutStore& store) {
  Feedback feedback;
  feedback.before = policy_.version;
  for (const TrainItem& item : batch.items) {
    const Rollout& rollout = store.get(item.rollout).rollout;
    const double p = policy_.pass_rate(rollout.prompt);
    const double score = (rollout.text == "right") - p;
    policy_.logit[rollout.prompt] += lr_ * item.advantage * item.weight * score;
    cost_.trained += rollout.tokens.size();
    feedback.items.push_back({item.rollout, 1, 0});
  }
  feedback.after = ++policy_.version;
  feedback.updated = true;
  return feedback;
}

void ToyRecorder::step(const StepRecord& record) {
  Step step{record.step,        {record.generated.begin(), record.generated.end()},
            record.batch.items, {},
            record.cost,        record.feedback.updated};
  for (const Metric& metric : record.metrics) step.metrics[metric.name] = metric.value;
  steps.push_back(std::move(step));
}

}  // namespace allot::testing
