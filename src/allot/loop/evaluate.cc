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

// What one verifier found.
struct Tally {
  Sums sums;
  std::vector<std::uint32_t> correct;  // per prompt

  void add(const Rollout& rollout, const Score& score, std::uint32_t group_size) {
    ++sums.responses;
    sums.tokens += static_cast<double>(rollout.tokens.size());
    sums.truncated += rollout.status == Status::Truncated;
    sums.no_answer += score.scoring == Scoring::Scored && !score.parsed;
    if (score.scoring != Scoring::Scored) return;
    ++sums.scored;
    sums.reward += score.reward;
    correct.at(rollout.id / group_size) += score.correct;
  }
};

// Returns how many responses there were.
std::size_t tally(std::span<const Rollout> rollouts, std::span<Verifier* const> verifiers,
                  const PromptSource& prompts, const EvalSettings& settings,
                  std::vector<Tally>& tallies) {
  std::vector<std::vector<Score>> scores;
  for (Verifier* verifier : verifiers) scores.push_back(verifier->score(rollouts, prompts));
  std::vector<Score> of_one(verifiers.size());
  for (std::size_t i = 0; i < rollouts.size(); ++i) {
    for (std::size_t v = 0; v < verifiers.size(); ++v) {
      tallies[v].add(rollouts[i], scores[v][i], settings.group_size);
      of_one[v] = std::move(scores[v][i]);
    }
    if (settings.each) settings.each(rollouts[i], of_one);
  }
  return rollouts.size();
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

std::vector<EvalResult> evaluate(RolloutEngine& engine, std::span<Verifier* const> verifiers,
                                 const PromptSource& prompts, std::span<const PromptId> ids,
                                 const EvalSettings& settings, Recorder& recorder) {
  check(settings);
  std::vector<Tally> tallies(verifiers.size(), {Sums(), std::vector<std::uint32_t>(ids.size(), 0)});
  const std::size_t chunk = std::max<std::size_t>(1, settings.prompts_at_once);
  std::size_t done = 0;
  bool stopped = false;
  for (std::size_t begin = 0; begin < ids.size() && !stopped; begin += chunk) {
    const std::size_t end = std::min(ids.size(), begin + chunk);
    const std::vector<Work> work = chunk_of_work(prompts, ids, begin, end, settings);
    engine.submit(work);
    for (std::vector<Rollout> rollouts; !(rollouts = engine.wait()).empty();) {
      done += tally(rollouts, verifiers, prompts, settings, tallies);
      recorder.progress({"eval", static_cast<double>(done),
                         static_cast<double>(ids.size() * settings.group_size),
                         static_cast<std::uint64_t>(tallies.front().sums.tokens)});
    }
    stopped = settings.stop && settings.stop->load();
  }
  std::vector<EvalResult> results;
  for (Tally& one : tallies) {
    results.push_back(summary(one.sums, std::move(one.correct), settings));
    results.back().complete = done == ids.size() * settings.group_size;
  }
  return results;
}

EvalResult evaluate(RolloutEngine& engine, Verifier& verifier, const PromptSource& prompts,
                    std::span<const PromptId> ids, const EvalSettings& settings,
                    Recorder& recorder) {
  Verifier* const one[] = {&verifier};
  return std::move(evaluate(engine, one, prompts, ids, settings, recorder).front());
}

}  // namespace allot
