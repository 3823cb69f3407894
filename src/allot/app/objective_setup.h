// The policy loss of a run: what of it the allocation method does and what the learner, what the
// learner is given for it, and what a user is told of it at start-up.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "allot/app/config.h"
#include "allot/core/types.h"
#include "allot/lm/model.h"
#include "allot/local/learner.h"
#include "allot/objective/requirements.h"

namespace allot {

// Whether responses are drawn from less than the whole distribution.
bool truncates(const SamplingOptions& sampling);

// adv.* as they are in force: with loss.preset_full what is left at its default is the preset's.
AdvantageOptions advantages_in_force(const RunConfig& config);

// Whether the learner estimates the advantages from the rewards of a batch, because no method can:
// KL in the reward, REINFORCE++, GDPO, whitening by token, weights of rewards.
bool learner_estimates(const RunConfig& config);

// adv.* for the allocation method: those in force, or plain ones that the learner replaces.
AdvantageOptions advantages_of_method(const RunConfig& config);

// Throws Error(Config) naming both keys of what does not go together: the loss in itself, with
// adv.*, and with the engine.
void check_objective(const RunConfig& config);

// Likewise with alloc.method.
void check_objective_of_method(const RunConfig& config);

// The rest of it, which only the method itself can tell.
void check_objective_of_method(const RunConfig& config, const Needs& needs);

// To be told once.
std::vector<std::string> objective_warnings(const RunConfig& config);

// `start`: the weights that training begins with; copied where a frozen policy is needed.
LossParts loss_parts(const RunConfig& config, const lm::Model& start,
                     std::optional<lm::Model> sampler);

}  // namespace allot
