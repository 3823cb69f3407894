#include "allot/loop/evaluate.h"

#include <algorithm>

#include "allot/core/error.h"

namespace allot {
namespace {

struct Sums {
  double reward = 0, tokens = 0;
  std::size_t scored = 0, responses = 0, truncated = 0, no_answer = 0;
};

void check(const EvalSettings& settings) {
  if (settings.group_size < 1)
    throw Error(ErrorKind::Config, "eval.group_size", "0 was given; at least 1 is needed");
  for (const int k : settings.k)
    if (k < 1 || static_cast<std::uint32_t>(k) > settings.group_size)
      throw Error(
          ErrorKind::Config, "eval.k",
          concat(k, " was given; 1 .. eval.group_size (", settings.group_size, ") is needed"));
}

// Requests for ids[begin, end). Rollout ids are positions in the evaluation: index * group_size.
std::vector<Work> chunk_of_work(const PromptSource& prompts, std::span<const PromptId> ids,
                                std::size_t begin, std::size_t end, const EvalSettings& settings) {
  std::vector<Work> work;
  for (std::size_t i = begin; i < end; ++i) {
    Work request;
    request.issued.prompt = ids[i];
    request.issued.first = i * settings.group_size;
    request.issued.n = settings.group_size;
    request.seed = settings.seed;
    request.step = settings.step;
    request.prompt = &prompts.get(ids[i]);
    request.sampling = settings.sampling;
    request.purpose = Purpose::Eval;
    work.push_back(std::move(request));
  }
  return work;
}

void count(std::span<const Rollout> rollouts, std::span<const Score> scores,
           std::uint32_t group_size, Sums& sums, std::vector<std::uint32_t>& correct) {
  for (std::size_t i = 0; i < rollouts.size(); ++i) {
    const Score& score = scores[i];
    ++sums.responses;
    sums.tokens += static_cast<double>(rollouts[i].tokens.size());
    sums.truncated += rollouts[i].status == Status::Truncated;
    sums.no_answer += score.scoring == Scoring::Scored && !score.parsed;
    if (score.scoring != Scoring::Scored) continue;
    ++sums.scored;
    sums.reward += score.reward;
    correct.at(rollouts[i].id / group_size) += score.correct;
  }
}

EvalResult summary(const Sums& sums, std::vector<std::uint32_t> correct,
                   const EvalSettings& settings) {
  EvalResult result;
  result.prompts = correct.size();
  result.group_size = settings.group_size;
  const double prompts = std::max<double>(1, static_cast<double>(correct.size()));
  const double responses = std::max<double>(1, static_cast<double>(sums.responses));
  for (const std::uint32_t c : correct) result.pass_at_1 += c / (prompts * settings.group_size);
  for (const int k : settings.k) {
    double sum = 0;
    for (const std::uint32_t c : correct)
      sum += pass_at_k(settings.group_size, c, static_cast<std::uint32_t>(k));
    result.pass_at_k.push_back(sum / prompts);
  }
  result.mean_reward = sums.scored ? sums.reward / static_cast<double>(sums.scored) : 0;
  result.mean_tokens = sums.tokens / responses;
  result.truncated_share = static_cast<double>(sums.truncated) / responses;
  result.no_answer_share = static_cast<double>(sums.no_answer) / responses;
  result.correct = std::move(correct);
  return result;
}

}  // namespace

double pass_at_k(std::uint32_t n, std::uint32_t c, std::uint32_t k) {
  if (k > n || c > n)
    throw Error(ErrorKind::Internal, "pass_at_k",
                concat("n = ", n, ", c = ", c, ", k = ", k, " was given; c, k <= n is needed"));
  if (n - c < k) return 1;
  double none = 1;  // prod over i in (n - c, n] of (1 - k / i)
  for (std::uint32_t i = n - c + 1; i <= n; ++i) none *= 1 - static_cast<double>(k) / i;
  return 1 - none;
}

EvalResult evaluate(RolloutEngine& engine, Verifier& verifier, const PromptSource& prompts,
                    std::span<const PromptId> ids, const EvalSettings& settings,
                    Recorder& recorder) {
  check(settings);
  Sums sums;
  std::vector<std::uint32_t> correct(ids.size(), 0);
  const std::size_t chunk = std::max<std::size_t>(1, settings.prompts_at_once);
  std::size_t done = 0;
  bool stopped = false;
  for (std::size_t begin = 0; begin < ids.size() && !stopped; begin += chunk) {
    const std::size_t end = std::min(ids.size(), begin + chunk);
    const std::vector<Work> work = chunk_of_work(prompts, ids, begin, end, settings);
    engine.submit(work);
    for (std::vector<Rollout> rollouts; !(rollouts = engine.wait()).empty();) {
      const std::vector<Score> scores = verifier.score(rollouts, prompts);
      count(rollouts, scores, settings.group_size, sums, correct);
      done += rollouts.size();
      recorder.progress({"eval", static_cast<double>(done),
                         static_cast<double>(ids.size() * settings.group_size),
                         static_cast<std::uint64_t>(sums.tokens)});
    }
    stopped = settings.stop && settings.stop->load();
  }
  EvalResult result = summary(sums, std::move(correct), settings);
  result.complete = done == ids.size() * settings.group_size;
  return result;
}

}  // namespace allot
