// Small methods that use every part of the contract, for tests of the Controller.
//
//   uniform     n for every prompt
//   retrying    2, then 2 more (tag and round 1, 2, ...) while a prompt has no success
//   eager       the same at Grain::Request, deciding prompt by prompt
//   refilling   4 each; draws twice the missing prompts until enough groups are mixed
//   holding     as refilling, and keeps surplus groups for the next step
//   voting      6 each at Grain::Rollout; cancels the rest of a prompt once an answer has 2 votes
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "allot/core/method.h"

namespace allot::testing {

std::unique_ptr<Method> scripted_method(const std::string& name);
const std::vector<std::string>& scripted_method_names();

}  // namespace allot::testing
