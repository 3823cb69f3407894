#include "allot/sim/engine.h"

#include <algorithm>
#include <cmath>
#include <unordered_set>
#include <utility>

#include "allot/core/random.h"

namespace allot::sim {
namespace {

float entropy(double p) {
  if (p <= 0 || p >= 1) return 0;
  return static_cast<float>(-p * std::log(p) - (1 - p) * std::log1p(-p));
}

}  // namespace

void SimEngine::submit(std::span<const Work> work) {
  for (const Work& request : work) {
    const Issued& issued = request.issued;
    const double p = policy_.pass_rate(issued.prompt);
    const float surprise = entropy(p);
    for (std::uint32_t i = 0; i < issued.n; ++i) {
      const std::uint32_t seq = issued.first_seq + i;
      RandomStream random({request.seed, RandomUse::Train, request.step, issued.prompt, seq});
      Rollout& rollout = waiting_.emplace_back();
      rollout.id = issued.first + i;
      rollout.prompt = issued.prompt;
      rollout.tag = issued.tag;
      rollout.seq = seq;
      rollout.round = issued.round;
      rollout.behaviour = version_;
      rollout.unkept_tokens = policy_.world().traits(issued.prompt).tokens;
      rollout.mean_entropy = surprise;
      rollout.text = random.uniform() < p ? "1" : "0";
    }
  }
}

void SimEngine::cancel(std::span<const RolloutId> ids) {
  const std::unordered_set<RolloutId> named(ids.begin(), ids.end());
  for (Rollout& rollout : waiting_) {
    if (!named.count(rollout.id)) continue;
    rollout.status = Status::Cancelled;
    rollout.unkept_tokens = 0;
  }
}

std::vector<Rollout> SimEngine::wait() {
  std::vector<Rollout> finished =
      pace_ == Pace::AtOnce ? std::exchange(waiting_, {}) : next_of_each();
  for (const Rollout& rollout : finished) cost_.generated += rollout.length();
  return finished;
}

std::vector<Rollout> SimEngine::next_of_each() {
  std::vector<Rollout> finished, rest;
  std::unordered_set<PromptId> prompts;
  for (Rollout& rollout : waiting_)
    (prompts.insert(rollout.prompt).second ? finished : rest).push_back(std::move(rollout));
  waiting_ = std::move(rest);
  return finished;
}

std::vector<Score> SimVerifier::score(std::span<const Rollout> rollouts, const PromptSource&) {
  std::vector<Score> scores(rollouts.size());
  for (std::size_t i = 0; i < rollouts.size(); ++i) {
    scores[i].correct = rollouts[i].text == "1";
    scores[i].reward = scores[i].correct ? 1 : 0;
    scores[i].answer = rollouts[i].text;
  }
  return scores;
}

}  // namespace allot::sim
