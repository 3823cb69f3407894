// Two methods as one: `alloc.method: mopps+aero`. The first chooses the prompts of a step
// (Role::Chooser), the second decides everything inside their groups (Role::InGroup).
//
// - The chooser's requests are only the candidate list of the inner method, which sees ids alone.
//   Where the chooser asks the host for further prompts, it does so until Budget::groups are chosen
//   or it is content.
// - Its beliefs see the first-round outcomes of the rollouts that the inner method asked for: those
//   came before any look at a reward. Its own batch is discarded; what it holds counts as lost.
// - Both see the Controller's account, so a run budget is charged with what was really spent.
//
// Nothing here knows a method by name; which pairs there are is said in pairs.h. Source: contract,
// section 10.
#pragma once

#include <memory>
#include <string>

#include "allot/core/method.h"

namespace allot {

struct NamedMethod {
  std::string name;  // in metrics: "<name>/<metric>"
  std::unique_ptr<Method> method;
};

// The chooser must ask for groups of the size of the inner method's first round.
std::unique_ptr<Method> combine(NamedMethod chooser, NamedMethod inner);

}  // namespace allot
