// The part of the family that a learner without reference policy and second pass can do: PPO-clip
// by token against one anchor, with any aggregation.
#pragma once

#include "allot/objective/options.h"

namespace allot::objective {

// The options expanded. A KL term that only the preset asks for is left out, which
// LossOptions::warnings() says; everything else beyond PPO-clip by token throws Error(Config)
// naming the key.
LossOptions token_ppo(const LossOptions& given);

}  // namespace allot::objective
