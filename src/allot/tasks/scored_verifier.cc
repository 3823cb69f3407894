#include "allot/tasks/scored_verifier.h"

#include <chrono>
#include <cmath>
#include <exception>
#include <stdexcept>
#include <utility>

#include "allot/core/error.h"

namespace allot {
namespace {

Score unscored(Scoring scoring, std::string reason) {
  Score score;
  score.scoring = scoring;
  score.parsed = false;
  score.reason = std::move(reason);
  return score;
}

Score verifier_error(std::string reason) {
  return unscored(Scoring::VerifierError, std::move(reason));
}

}  // namespace

ScoredVerifier::ScoredVerifier(ScoreResponse score_response, double success_threshold)
    : score_response_(std::move(score_response)), success_threshold_(success_threshold) {
  if (!score_response_)
    throw Error(ErrorKind::Internal, "verifier", "an empty function was given; one is needed");
}

Score ScoredVerifier::score_one(const Prompt& prompt, std::string_view response) const {
  Score score;
  const auto start = std::chrono::steady_clock::now();
  try {
    score = score_response_(prompt, response);
  } catch (const std::exception& error) {
    return verifier_error(error.what());
  } catch (...) {
    return verifier_error("the scoring function threw something that is no std::exception");
  }
  if (score.scoring != Scoring::Scored) {
    score.reward = 0;
    score.correct = false;
    return score;
  }
  score.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  for (const float part : score.parts)
    if (std::isinf(part))
      throw RewardMistake("of a task", concat("a part is ", part, "; a finite number is needed"));
  if (std::isinf(score.reward))
    throw RewardMistake("of a task",
                        concat("it gave ", score.reward, "; a finite number is needed"));
  if (std::isnan(score.reward)) {
    score.scoring = Scoring::NotScorable;
    score.reward = 0;
    score.correct = false;
    if (score.reason.empty()) score.reason = "the scoring function returned no reward";
    return score;
  }
  score.correct = score.reward > success_threshold_;
  return score;
}

std::vector<Score> ScoredVerifier::score(std::span<const Rollout> rollouts,
                                         const PromptSource& prompts) {
  std::vector<Score> scores;
  scores.reserve(rollouts.size());
  for (const Rollout& rollout : rollouts) {
    if (rollout.status == Status::Failed || rollout.status == Status::Cancelled) {
      scores.push_back(
          unscored(Scoring::NotScorable, concat("generation ended as ", name(rollout.status))));
      continue;
    }
    try {
      scores.push_back(score_one(prompts.get(rollout.prompt), rollout.text));
    } catch (const RewardMistake&) {
      throw;
    } catch (const std::exception& error) {
      scores.push_back(verifier_error(error.what()));
    }
  }
  return scores;
}

Score right(std::string answer) {
  Score score;
  score.reward = 1;
  score.correct = true;
  score.answer = std::move(answer);
  return score;
}

Score wrong(std::string answer, std::string reason) {
  Score score;
  score.answer = std::move(answer);
  score.reason = std::move(reason);
  return score;
}

Score no_answer(std::string reason) {
  Score score;
  score.parsed = false;
  score.reason = std::move(reason);
  return score;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n\v\f";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

Score exact_score(const Prompt& prompt, std::string_view response) {
  const std::string_view gold = trimmed(prompt.answer), given = trimmed(response);
  if (gold.empty())
    throw Error(ErrorKind::Data, "verifier.exact",
                concat("prompt '", prompt.key, "' has no reference answer; one is needed"));
  if (given.empty()) return no_answer("the response is empty");
  if (given == gold) return right(std::string(given));
  for (const std::string& other : prompt.accepted)
    if (given == trimmed(other)) return right(std::string(given));
  return wrong(std::string(given), concat("'", gold, "' is the answer"));
}

}  // namespace allot
