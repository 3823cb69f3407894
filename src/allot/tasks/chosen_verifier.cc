#include "allot/tasks/chosen_verifier.h"

#include <utility>
#include <vector>

#include "allot/core/error.h"
#include "allot/tasks/math_verifier.h"

namespace allot {
namespace {

// Preset that the prompt of a rollout names; "" also where the prompt is not known, which the
// verifier then reports.
std::string preset_of(const Rollout& rollout, const PromptSource& prompts) {
  try {
    return prompts.get(rollout.prompt).verifier;
  } catch (const Error&) {
    return "";
  }
}

}  // namespace

verify::MathOptions preset_options(std::string_view preset, verify::MathOptions options) {
  if (preset.empty()) return options;
  OptionList::of(options).set("preset", std::string(preset), "verifier");
  return options;
}

ChosenVerifier::ChosenVerifier(std::unique_ptr<Verifier> others, verify::MathOptions options)
    : others_(std::move(others)), options_(std::move(options)) {}

std::vector<std::string> ChosenVerifier::mark_names() const { return math_mark_names(); }

// Rollouts that follow each other and name the same preset are judged together.
std::vector<Score> ChosenVerifier::score(std::span<const Rollout> rollouts,
                                         const PromptSource& prompts) {
  std::vector<Score> scores;
  scores.reserve(rollouts.size());
  for (std::size_t begin = 0; begin < rollouts.size();) {
    const std::string preset = preset_of(rollouts[begin], prompts);
    std::size_t end = begin + 1;
    while (end < rollouts.size() && preset_of(rollouts[end], prompts) == preset) ++end;
    const auto part = rollouts.subspan(begin, end - begin);
    std::vector<Score> found =
        preset.empty() ? others_->score(part, prompts)
                       : MathVerifier(preset_options(preset, options_)).score(part, prompts);
    for (Score& score : found) scores.push_back(std::move(score));
    begin = end;
  }
  return scores;
}

}  // namespace allot
