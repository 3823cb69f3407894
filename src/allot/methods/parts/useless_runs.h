// GRESO's memory of prompts that gave no signal: how often in a row, on which side, and with which
// probability such a prompt is rolled out again. Source: arXiv 2506.02177.
//
// The paper keeps a trace of group means. Only its useless tail counts, so that tail is kept.
#pragma once

#include <cstdint>

namespace allot {

enum class Useless : std::uint8_t { No, Easy, Hard };

struct UselessBounds {
  double easy_from = 1, hard_to = 0;  // group means from / up to which a group is useless

  Useless side(double mean) const {
    if (mean >= easy_from) return Useless::Easy;
    return mean <= hard_to ? Useless::Hard : Useless::No;
  }
};

// The latest consecutive visits of a prompt that were useless on one side.
struct UselessRun {
  Useless side = Useless::No;
  std::uint32_t length = 0;  // 0 exactly if side is No
  float keep = 1;            // probability with which it was last rolled out

  void visit(Useless seen) {
    length = seen == Useless::No ? 0 : seen == side ? length + 1 : 1;
    side = seen;
  }
  template <class V>
  void state(V& v) {
    v(side);
    v(length);
    v(keep);
  }
};

// max(base^length, floor): 1 for a prompt that was not useless at its last visit.
double keep_probability(double base, std::uint32_t length, double floor);

// A base probability that follows the share of useless groups of its side.
struct KeepRate {
  double base = 0.5;

  // share >= target: one step down, else one up, within [low, high].
  void adapt(double share, double target, double step, double low, double high);
};

// The draw after one that left `missing` groups open and of which `useless_share` was dropped.
struct NextDraw {
  std::uint32_t size = 0;
  bool last = false;  // it was expected to fill the batch, so there is none after it
};

// clamp(1.25 missing / (1 - share), smallest, largest); last if the estimate is at most `largest`.
// A share of 1 gives the largest draw.
NextDraw next_useful_draw(std::uint32_t missing, double useless_share, std::uint32_t smallest,
                          std::uint32_t largest);

}  // namespace allot
