// What an estimator of advantages from rewards hands to the loss: one number per rollout, and what
// is still to be done with log-probabilities or numbers of tokens. Source: objectives, section 4.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "allot/core/types.h"

namespace allot {

// What follows by token: nothing; the rewards become returns-to-go of reward minus KL, whitened
// over tokens (REINFORCE++); the scalars are whitened over tokens.
enum class TokenStep { None, ReturnToGo, WhitenByToken };

struct ScalarAdvantages {
  std::vector<double> values;  // by row; 0 where not scorable
  std::vector<bool> scorable;
  std::vector<Metric> metrics;  // reward/*, group/*
};

struct ScalarEstimator {
  TokenStep token_step = TokenStep::None;
  double gamma = 1;  // of ReturnToGo: discount per token
  // rewards [rows][components], NaN = not scorable; the group of each row; what is taken from each
  // row's reward before anything else.
  std::function<ScalarAdvantages(std::span<const std::vector<double>> rewards,
                                 std::span<const std::uint32_t> groups,
                                 std::span<const double> penalty)>
      estimate;
};

}  // namespace allot
