#include "allot/tasks/rewards/reward_verifier.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <unordered_set>
#include <utility>

#include "allot/core/error.h"
#include "allot/tasks/prompt_set.h"

namespace allot {
namespace {

constexpr float kNone = std::numeric_limits<float>::quiet_NaN();
constexpr int kMostGivenUp = 64;  // threads that never came back, before the run ends

class ValuesVerifier final : public Verifier {
 public:
  explicit ValuesVerifier(RewardValues values) : values_(std::move(values)) {}

  std::vector<Score> score(std::span<const Rollout> rollouts,
                           const PromptSource& prompts) override {
    const auto start = std::chrono::steady_clock::now();
    const std::vector<float> values = values_(rollouts, prompts);
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    std::vector<Score> scores(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      scores[i].reward = values[i];
      scores[i].seconds = taken.count() / static_cast<double>(values.size());
    }
    return scores;
  }

 private:
  RewardValues values_;
};

Score without_reward(Scoring scoring, std::string reason) {
  Score score;
  score.scoring = scoring;
  score.parsed = false;
  score.reason = std::move(reason);
  return score;
}

bool is_response(const Rollout& rollout) {
  return rollout.status == Status::Ok || rollout.status == Status::Truncated;
}

Rollout without_log_probabilities(const Rollout& rollout) {
  Rollout copy;
  copy.id = rollout.id;
  copy.prompt = rollout.prompt;
  copy.tag = rollout.tag, copy.seq = rollout.seq, copy.round = rollout.round;
  copy.behaviour = rollout.behaviour;
  copy.status = rollout.status;
  copy.tokens = rollout.tokens;
  copy.text = rollout.text;
  copy.unkept_tokens = rollout.unkept_tokens;
  return copy;
}

std::vector<Prompt> prompts_of(std::span<const Rollout> rollouts, const PromptSource& prompts) {
  std::unordered_set<PromptId> seen;
  std::vector<Prompt> asked;
  for (const Rollout& rollout : rollouts)
    if (seen.insert(rollout.prompt).second) asked.push_back(prompts.get(rollout.prompt));
  return asked;
}

void check_scores(const RewardFunction& function, std::span<const Score> scores,
                  std::size_t asked) {
  if (scores.size() != asked)
    throw RewardMistake(function.name, concat("it returned ", scores.size(), " rewards for ", asked,
                                              " responses; one for each is needed"));
  for (const Score& score : scores)
    if (score.scoring == Scoring::Scored && std::isinf(score.reward))
      throw RewardMistake(function.name,
                          concat("it returned ", score.reward, "; a finite number is needed"),
                          "NaN says that a response cannot be scored");
}

}  // namespace

// What the functions read, for as long as any of them does.
struct RewardVerifier::Batch {
  Batch(std::vector<Rollout> rollouts, std::vector<Prompt> prompts)
      : rollouts(std::move(rollouts)), prompts(std::move(prompts), 0) {}
  std::vector<Rollout> rollouts;
  PromptSet prompts;
};

std::shared_ptr<Verifier> verifier_of(RewardValues values) {
  return std::make_shared<ValuesVerifier>(std::move(values));
}

RewardVerifier::RewardVerifier(std::vector<RewardFunction> functions, const RewardRules& rules)
    : functions_(std::move(functions)),
      success_threshold_(rules.success_threshold),
      workers_(rules.workers, rules.timeout_s) {
  if (functions_.empty())
    throw Error(ErrorKind::Config, "reward.functions", "none was given; one or more are needed");
  for (std::size_t i = 0; i < functions_.size(); ++i)
    if (place(functions_[i].name) != i)
      throw Error(ErrorKind::Config, "reward.functions",
                  concat("'", functions_[i].name, "' was given twice; once is needed"));
  for (const RewardGate& gate : rules.gates)
    gates_.push_back({place(gate.gated), place(gate.by), gate.least});
  judge_ = static_cast<std::size_t>(
      std::find_if(functions_.begin(), functions_.end(),
                   [](const RewardFunction& function) { return function.judges; }) -
      functions_.begin());
}

std::size_t RewardVerifier::place(const std::string& name) const {
  for (std::size_t i = 0; i < functions_.size(); ++i)
    if (functions_[i].name == name) return i;
  throw Error(ErrorKind::Config, "reward.gate",
              concat("'", name, "' was given; one of reward.functions is needed"));
}

std::vector<std::string> RewardVerifier::part_names() const {
  std::vector<std::string> names;
  for (const RewardFunction& function : functions_) names.push_back(function.name);
  return names;
}

std::vector<std::string> RewardVerifier::mark_names() const {
  return functions_[described()].verifier->mark_names();
}

RewardVerifier::Values RewardVerifier::call_all(const std::shared_ptr<const Batch>& batch) {
  struct Part {
    std::size_t function, first, count;
  };
  std::vector<Part> parts;
  std::vector<RewardCall> calls;
  const std::size_t all = batch->rollouts.size();
  for (std::size_t f = 0; f < functions_.size(); ++f) {
    const std::size_t at_once =
        functions_[f].rollouts_at_once == 0 ? all : functions_[f].rollouts_at_once;
    for (std::size_t first = 0; first < all; first += at_once) {
      const Part part{f, first, std::min(at_once, all - first)};
      parts.push_back(part);
      calls.push_back([batch, verifier = functions_[f].verifier, part] {
        return verifier->score(std::span(batch->rollouts).subspan(part.first, part.count),
                               batch->prompts);
      });
    }
  }
  std::vector<RewardAnswer> answers = workers_.run(std::move(calls));
  Values values(functions_.size(), std::vector<Score>(all));
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto [f, first, count] = parts[i];
    if (answers[i].failure.empty()) {
      check_scores(functions_[f], answers[i].scores, count);
      std::move(answers[i].scores.begin(), answers[i].scores.end(), values[f].begin() + first);
    } else {
      const std::string reason =
          concat("reward function '", functions_[f].name, "': ", answers[i].failure);
      std::fill_n(values[f].begin() + first, count, without_reward(Scoring::VerifierError, reason));
    }
  }
  return values;
}

Score RewardVerifier::combined(const Values& values, std::size_t rollout) const {
  Score score = values[described()][rollout];
  score.seconds = 0;
  std::vector<float> parts;
  for (const std::vector<Score>& of_function : values) {
    const Score& one = of_function[rollout];
    score.seconds += one.seconds;
    if (one.scoring == Scoring::VerifierError) {
      Score failed = one;
      failed.marks = score.marks, failed.steps = score.steps;
      return failed;
    }
    parts.push_back(one.scoring == Scoring::Scored ? one.reward : kNone);
  }
  const std::vector<float> given = parts;
  for (const Gate& gate : gates_) {
    if (std::isnan(given[gate.by])) parts[gate.gated] = kNone;
    if (given[gate.by] < gate.least && !std::isnan(parts[gate.gated])) parts[gate.gated] = 0;
  }
  double sum = 0;
  bool any = false;
  for (std::size_t f = 0; f < parts.size(); ++f) {
    if (std::isnan(parts[f])) continue;
    any = true;
    sum += functions_[f].weight * parts[f];
  }
  const bool is_judged = judge_ < functions_.size();
  const double verdict = is_judged ? given[judge_] : sum;
  if (!any || std::isnan(verdict)) {
    std::string reason = score.reason.empty() ? "no reward function had a value" : score.reason;
    Score missing = without_reward(Scoring::NotScorable, std::move(reason));
    missing.marks = score.marks, missing.steps = score.steps;
    return missing;
  }
  score.scoring = Scoring::Scored;
  score.reward = static_cast<float>(sum);
  score.correct = verdict > success_threshold_;
  if (functions_.size() > 1) score.parts = std::move(parts);
  return score;
}

std::vector<Score> RewardVerifier::score(std::span<const Rollout> rollouts,
                                         const PromptSource& prompts) {
  std::vector<Rollout> responses;
  for (const Rollout& rollout : rollouts)
    if (is_response(rollout)) responses.push_back(without_log_probabilities(rollout));
  Values values;
  if (!responses.empty()) {
    std::vector<Prompt> asked = prompts_of(responses, prompts);
    values = call_all(std::make_shared<const Batch>(std::move(responses), std::move(asked)));
  }
  if (workers_.given_up() > kMostGivenUp)
    throw RewardMistake(functions_.front().name,
                        concat(workers_.given_up(), " calls of reward functions never came back; ",
                               "at most ", kMostGivenUp, " are waited out"));
  std::vector<Score> scores;
  std::size_t next = 0;
  for (const Rollout& rollout : rollouts)
    scores.push_back(is_response(rollout)
                         ? combined(values, next++)
                         : without_reward(Scoring::NotScorable,
                                          concat("generation ended as ", name(rollout.status))));
  return scores;
}

}  // namespace allot
