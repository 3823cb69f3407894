// The built-in reward functions by name, and the verifier that a run scores with.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "allot/app/reward_options.h"
#include "allot/tasks/registry.h"

namespace allot {

std::vector<std::string> reward_function_names();

// `task_verifier` is what the function "task" means; `longest_response` in tokens.
std::unique_ptr<Verifier> make_reward_verifier(const RewardOptions& options,
                                               const TaskOptions& tasks,
                                               std::shared_ptr<Verifier> task_verifier,
                                               std::uint32_t longest_response);

}  // namespace allot
