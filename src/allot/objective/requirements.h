// Which optional fields of a row a composed loss reads, so that a trainer produces exactly these.
// Source: objectives, sections 2 and 16.
#pragma once

#include <string>
#include <vector>

#include "allot/objective/options.h"

namespace allot::objective {

// Length of the lists of likeliest tokens, of the rollout policy and of the one that rejection
// sampling aims at; fewer where the vocabulary is smaller.
inline constexpr int kLikeliestTokens = 20;

struct Requirements {
  bool reference = false;      // log-probabilities of a frozen reference policy
  bool rollout = false;        // log-probabilities of the engine that sampled, processed
  bool old = false;            // of the policy before the updates; the trainer may leave them out
                               // where it makes a single update per batch of rollouts
  bool top_k = false;          // the likeliest tokens of the rollout policy
  bool hidden = false;         // last hidden states
  bool entropy = false;        // of the full distribution
  bool log_partition = false;  // FlowRL's log Z
  bool truncated = false;      // which responses were cut

  std::vector<std::string> names() const;  // field names of loss_row.h
};

Requirements requirements(const LossOptions& options);

// What the trainer can say of a run at start-up.
struct RunFacts {
  int updates_per_rollout = 1;
  double mean_group_size = 8;
  bool truncated_sampling = false;  // top-p, top-k or min-p
  bool processed_logprobs = true;   // the engine's, at the sampling temperature and truncation
  bool group_scale = true;          // adv.scale is group
};

// Throws Error(Config) for raw log-probabilities where the loss reads the engine's.
void validate_run(const LossOptions& options, const RunFacts& facts);
std::vector<std::string> run_warnings(const LossOptions& options, const RunFacts& facts);

}  // namespace allot::objective
