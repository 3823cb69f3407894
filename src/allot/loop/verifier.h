// What scores rollouts: one of the five interfaces of the training step.
#pragma once

#include <span>
#include <string>
#include <vector>

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
};

class Verifier {
 public:
  virtual ~Verifier() = default;

  // One score per rollout, in order. An exception inside a reward function becomes
  // Scoring::VerifierError of that rollout; it never ends the step.
  virtual std::vector<Score> score(std::span<const Rollout> rollouts,
                                   const PromptSource& prompts) = 0;
};

}  // namespace allot
