// The golden batch and its composed losses: numbers from formulas, worked out by two independent
// double-precision programs (objectives_golden, G0, G1, G9). Printed to 6 or 8 decimals.
#pragma once

#include <vector>

#include "allot/objective/reference.h"

namespace allot::objective {

// One group of four responses of 3, 2, 4 and 1 tokens with rewards 1, 0, 1, 0. `advantage` is the
// size of the advantages, + for reward 1 and - for reward 0.
std::vector<LossRow> golden_rows(double advantage);

// Sizes of the golden batch's advantages.
inline constexpr double kGoldenZScore = 0.865875;      // ddof 1, eps 1e-4
inline constexpr double kGoldenZScoreFine = 0.866024;  // ddof 1, eps 1e-6
inline constexpr double kGoldenCentred = 0.5;
inline constexpr double kGoldenLeaveOneOut = 2.0 / 3;

struct GoldenLoss {
  const char* name;
  std::vector<LossRow> rows;
  LossOptions options;
  Normalizer normalizer;
  double loss;
  std::vector<double> gradient;  // of all tokens, in order
};

std::vector<GoldenLoss> golden_losses();

}  // namespace allot::objective
