// What a method may ask for and hand back. Every breach is an Error(Internal) that names the
// method, the thing it did and the rule. Source: contract, sections 2, 3 and 14.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "allot/core/controller.h"
#include "allot/core/types.h"

namespace allot {

// Needs of the method that the host does not serve, in words; empty if it serves all.
std::vector<std::string> missing_needs(const Needs& needs, const HostTraits& host);

// Rules of a Decision that need no knowledge of the step: requests of at least one rollout with a
// finite temperature, only declared needs used, nothing asked for together with `done`.
void check_decision(const Decision& decision, const Needs& needs, const std::string& method);

// True at every place whose id stands at an earlier one, too.
std::vector<bool> repeated(std::span<const RolloutId> ids);

// What a batch may name: a rollout handed out in this step, or one that is held.
struct KnownRollout {
  PromptId prompt = 0;
  Version behaviour = 0;
  bool scored = false;
  bool held = false;  // from an earlier step
};

struct BatchContext {
  const std::string& method;
  const Needs& needs;
  Version policy = 0;                 // of the step
  std::span<const PromptId> planned;  // prompts with at least one request in this step, ascending
  std::function<std::optional<KnownRollout>(RolloutId)> known;
};

// - groups cover the items exactly, without overlap, and none is empty;
// - items name known, scored rollouts of their group's prompt; those of an older version, and those
//   of an earlier step, only with Needs::hold;
// - advantages are finite, weights finite and not negative, pool means finite;
// - Norm::Fixed has fixed > 0; length_divisor is finite and not negative;
// - probe holds positions of groups, ascending;
// - one report for every planned prompt, none for others except those with a group, each with the
//   true number of shipped items;
// - hold and release only with Needs::hold, no rollout twice; hold names known rollouts, release
//   names held ones.
void check_batch(const TrainBatch& batch, const BatchContext& context);

}  // namespace allot
