// One response as the loss sees it. Source: objectives, section 2.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "allot/core/error.h"
#include "allot/core/types.h"

namespace allot::objective {

// A sparse distribution over the vocabulary at one token: log-probabilities of some ids.
struct TopK {
  std::vector<std::int64_t> ids;
  std::vector<double> rollout;  // log-probabilities under the policy that sampled
  std::vector<double> current;  // of the current policy, at the same ids
  std::vector<double> old;      // of the policy before the updates; may be empty
};

// Vectors are [tokens] where nothing else is said; those marked optional may be empty, and are
// refused only where the options ask for them (requirements.h).
struct LossRow {
  std::uint32_t group = 0;
  double advantage = 0, weight = 1;
  Anchor anchor = Anchor::StepStart;
  std::vector<double> logprob;              // current policy
  std::vector<double> old;                  // empty: the current policy, detached (a single update)
  std::vector<double> rollout;              // optional: what the engine sampled from
  std::vector<double> reference;            // optional: frozen reference policy
  std::vector<double> mask;                 // empty: all 1. 0 = not generated, or not to be trained
  std::vector<double> token_advantage;      // empty: `advantage` at every token
  std::vector<double> entropy;              // optional: of the full distribution
  std::vector<TopK> top;                    // optional
  std::vector<std::int64_t> token_ids;      // optional: which of `top` was sampled
  std::vector<std::vector<double>> hidden;  // optional: [tokens][H], before the head
  double log_partition = 0;                 // log Z of FlowRL
  bool scorable = true, truncated = false;
  std::uint64_t rollout_id = 0;  // key of its random numbers

  double advantage_at(std::size_t t) const {
    return token_advantage.empty() ? advantage : token_advantage[t];
  }
};

[[noreturn]] inline void refuse_row(std::size_t row, const std::string& what) {
  throw Error(ErrorKind::Data, "objective", concat("row ", row, ": ", what));
}

}  // namespace allot::objective
