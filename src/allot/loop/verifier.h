// What scores rollouts: one of the five interfaces of the training step.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "allot/core/error.h"
#include "allot/loop/engine.h"
#include "allot/loop/prompt_source.h"

namespace allot {

struct Score {
  Scoring scoring = Scoring::Scored;
  float reward = 0;  // defined only if scoring == Scored
  std::vector<float> parts;
  bool correct = false, parsed = true;
  std::string answer;  // what was read as the answer; "" if none
  std::string reason;  // for people: why it is wrong, or what the verifier's error said

  // For metrics only, never saved.
  double seconds = 0;                  // spent on it; 0 = not measured
  std::optional<std::uint32_t> steps;  // of the verifier's work budget; none = not counted
  std::uint32_t marks = 0;             // bit i: Verifier::mark_names()[i] applies
};

// A mistake in a reward function, as against a failure of it: the wrong number of values, an
// infinite one. It ends the run.
class RewardMistake : public Error {
 public:
  RewardMistake(std::string_view function, std::string_view what, std::string_view hint = {})
      : Error(ErrorKind::Data, concat("reward function ", function), what, hint) {}
};

class Verifier {
 public:
  virtual ~Verifier() = default;

  // One score per rollout, in order. An exception inside a reward function becomes
  // Scoring::VerifierError of that rollout; it never ends the step. A RewardMistake does.
  virtual std::vector<Score> score(std::span<const Rollout> rollouts,
                                   const PromptSource& prompts) = 0;

  // Names of the values in Score::parts, for metrics; one name: of the reward itself.
  virtual std::vector<std::string> part_names() const { return {}; }

  // What the bits of Score::marks mean, at most 32 names: circumstances of a verdict that metrics
  // count, as verifier/NAME. None of "correct", "wrong", "no_answer", "not_scorable", "error",
  // which are counted for every verifier.
  virtual std::vector<std::string> mark_names() const { return {}; }
};

}  // namespace allot
