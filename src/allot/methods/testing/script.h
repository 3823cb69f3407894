// Plays hand-written outcomes to a method through the Controller: for golden tests.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "allot/core/controller.h"
#include "allot/methods/registry.h"

namespace allot::testing {

using Settings = std::vector<std::pair<std::string, std::string>>;  // full keys: alloc.*, adv.*

AllocOptions alloc_options(std::string_view method, const Settings& settings = {});
AdvantageOptions advantage_options(const Settings& settings);

// A Controller of `method` in a host that serves everything.
Controller controller_of(std::string_view method, const Settings& settings = {},
                         std::uint64_t seed = 1);

// What becomes of the rollouts of each prompt, in issue order. A test that asks for more than is
// written fails with an exception.
struct Script {
  std::vector<PromptId> candidates;  // shown by plan()
  std::vector<PromptId> further;     // answers to refill wishes, in order
  std::map<PromptId, std::vector<Outcome>> outcomes;
};

struct Played {
  std::vector<Plan> plans;  // of plan() and each observe()
  TrainBatch batch;
  std::map<std::string, double> metrics;
  std::map<RolloutId, std::pair<PromptId, std::uint32_t>> issued;  // id -> prompt and seq

  std::uint32_t requested(PromptId prompt) const;          // rollouts in all
  std::vector<float> advantages(PromptId prompt) const;    // of its items, in order of the batch
  std::vector<std::uint32_t> kept(PromptId prompt) const;  // seq of its items
  const GroupReport& report(PromptId prompt) const;
};

// One step: plan, observe until done, finalize, feedback (an update if the batch is not empty).
Played play(Controller& controller, const Script& script, const Budget& budget, Version policy = 0);

// `right` correct ones with reward 1, then `wrong` ones with reward 0.
std::vector<Outcome> verdicts(std::uint32_t right, std::uint32_t wrong);
std::vector<Outcome> rewards(const std::vector<double>& values);  // correct if above 0.5

std::vector<PromptId> ids(PromptId first, PromptId last);  // both included
std::vector<PromptId> prompts_of(const Plan& plan);        // one per request, in order

Budget budget_of(std::uint32_t groups, std::uint64_t rollouts);

}  // namespace allot::testing
