#include "allot/tasks/math_verifier.h"

#include <chrono>
#include <exception>
#include <iterator>
#include <optional>
#include <utility>

#include "allot/core/error.h"
#include "allot/tasks/math/known_pairs.h"

namespace allot {

namespace {

// Places of the marks: statuses, tiers, flags.
constexpr verify::VerdictStatus kMarkedStatuses[] = {
    verify::VerdictStatus::Unparseable, verify::VerdictStatus::Limit,
    verify::VerdictStatus::GoldError, verify::VerdictStatus::Fault};
constexpr int kTierMarks = std::size(kMarkedStatuses);
constexpr int kFlagMarks = kTierMarks + static_cast<int>(verify::Tier::T5) + 1;
static_assert(kFlagMarks + verify::kFlagCount <= 32, "Score::marks has 32 bits");

std::uint32_t marks_of(const verify::Verdict& verdict) {
  using Status = verify::VerdictStatus;
  std::uint32_t marks = verdict.flags << kFlagMarks;
  for (int i = 0; i < kTierMarks; ++i)
    if (verdict.status == kMarkedStatuses[i]) marks |= 1U << i;
  if (verdict.status == Status::Correct || verdict.status == Status::Wrong)
    marks |= 1U << (kTierMarks + static_cast<int>(verdict.tier));
  return marks;
}

}  // namespace

std::vector<std::string> math_mark_names() {
  std::vector<std::string> names;
  for (const verify::VerdictStatus status : kMarkedStatuses)
    names.emplace_back(verify::name(status));
  for (int tier = 0; tier < kFlagMarks - kTierMarks; ++tier) names.push_back(concat("tier/", tier));
  for (int bit = 0; bit < verify::kFlagCount; ++bit)
    names.push_back(concat("flag/", verify::flag_name(bit)));
  return names;
}

Score score_of(const verify::Verdict& verdict, const verify::Gold& gold) {
  using Status = verify::VerdictStatus;
  Score score;
  score.answer = verdict.extracted;
  score.reason = verify::name(verdict.status);
  score.marks = marks_of(verdict);
  switch (verdict.status) {
    case Status::Correct:
      score.reward = 1;
      score.correct = true;
      break;
    case Status::Wrong:
      break;
    case Status::NoAnswer:
    case Status::Unparseable:
    case Status::Limit:
      score.parsed = false;
      break;
    case Status::GoldError:
      score.scoring = Scoring::NotScorable;
      score.parsed = false;
      score.reason += ": " + gold.problem();
      return score;
    case Status::Fault:
      score.scoring = Scoring::VerifierError;
      score.parsed = false;
      return score;
  }
  score.steps = verdict.steps;
  if (verdict.status == Status::Correct || verdict.status == Status::Wrong)
    (score.reason += ": ") += verify::name(verdict.tier);
  for (int bit = 0; bit < verify::kFlagCount; ++bit)
    if ((verdict.flags >> bit & 1U) != 0) (score.reason += ", ") += verify::flag_name(bit);
  return score;
}

verify::Gold prepare_gold(const Prompt& prompt, const verify::MathOptions& options) {
  std::vector<std::string_view> answers{prompt.answer};
  answers.insert(answers.end(), prompt.accepted.begin(), prompt.accepted.end());
  return verify::prepare(answers, options);
}

std::vector<Score> MathVerifier::score(std::span<const Rollout> rollouts,
                                       const PromptSource& prompts) {
  std::vector<Score> scores;
  scores.reserve(rollouts.size());
  verify::Gold gold;
  std::optional<PromptId> asked;
  for (const Rollout& rollout : rollouts) {
    Score score;
    score.parsed = false;
    if (rollout.status == Status::Failed || rollout.status == Status::Cancelled) {
      score.scoring = Scoring::NotScorable;
      score.reason = concat("generation ended as ", name(rollout.status));
      scores.push_back(std::move(score));
      continue;
    }
    try {
      const auto start = std::chrono::steady_clock::now();
      const Prompt& prompt = prompts.get(rollout.prompt);
      if (asked != rollout.prompt) gold = prepare_gold(prompt, options_);
      asked = rollout.prompt;
      score = score_of(verify::verify(gold, rollout.text, options_), gold);
      score.seconds =
          std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    } catch (const std::exception& error) {
      score.scoring = Scoring::VerifierError;
      score.reason = error.what();
    }
    scores.push_back(std::move(score));
  }
  return scores;
}

std::unique_ptr<Verifier> tested_math_verifier(verify::MathOptions options) {
  static const bool tested = (verify::check_known_pairs(), true);
  (void)tested;
  return std::make_unique<MathVerifier>(std::move(options));
}

}  // namespace allot
