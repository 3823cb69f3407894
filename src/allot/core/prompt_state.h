// Dead, solved, mixed or unseen: what the verdicts on a prompt's first rounds say about it now.
//
// Only first-round verdicts count: later rollouts were asked for because of what came before. A
// *visit* is a step in which a prompt got at least one of them.
//
//   unseen  no verdict yet
//   dead    the latest visits had no right answer, over at least kLeastVerdicts verdicts
//   solved  the latest visits had no wrong answer, over at least kLeastVerdicts verdicts
//   mixed   anything else: right and wrong answers at the last visit, or too few verdicts to tell
//
// So a prompt that is learned turns from dead to mixed to solved, and back when it is forgotten.
// Four equal verdicts prove little (a prompt solved half of the time shows them in one visit of
// eight): pass_rate_bound() says what they leave open, and callers can ask for more of them.
#pragma once

#include <cmath>
#include <cstdint>

namespace allot {

enum class PromptState : std::uint8_t { Unseen, Dead, Mixed, Solved };

inline constexpr std::uint64_t kLeastVerdicts = 4;

// "unseen", "dead", "mixed", "solved".
constexpr const char* name(PromptState state) {
  switch (state) {
    case PromptState::Unseen:
      return "unseen";
    case PromptState::Dead:
      return "dead";
    case PromptState::Mixed:
      return "mixed";
    case PromptState::Solved:
      return "solved";
  }
  return "unknown";
}

// The latest visits of one prompt, as far back as all of their verdicts agree.
struct VerdictStreak {
  std::uint64_t right = 0, wrong = 0;  // of these visits; one of them is 0
  bool seen = false;

  // Books one visit; nothing without a verdict.
  void visit(std::uint64_t verdicts, std::uint64_t successes) {
    if (verdicts == 0) return;
    seen = true;
    right = successes == verdicts ? right + verdicts : 0;
    wrong = successes == 0 ? wrong + verdicts : 0;
  }

  PromptState now(std::uint64_t least = kLeastVerdicts) const {
    if (!seen) return PromptState::Unseen;
    if (wrong > 0 && wrong >= least) return PromptState::Dead;
    if (right > 0 && right >= least) return PromptState::Solved;
    return PromptState::Mixed;
  }

  template <class V>
  void state(V& v) {
    v(right);
    v(wrong);
    v(seen);
  }
};

// Upper end of the one-sided 95 % interval (Clopper and Pearson) of a pass rate after `verdicts`
// answers that were all wrong: 1 - .05^(1 / n); 1 without an answer. For answers that were all
// right, 1 minus this is the lower end.
inline double pass_rate_bound(std::uint64_t verdicts) {
  return verdicts == 0 ? 1 : 1 - std::pow(0.05, 1 / static_cast<double>(verdicts));
}

}  // namespace allot
