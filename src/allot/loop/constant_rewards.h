// Notices a reward function that gives every response the same value: nothing can be learned of it,
// and as a rule it is broken. Source: conventions, section 7.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "allot/core/types.h"
#include "allot/loop/recorder.h"

namespace allot {

class ConstantRewards {
 public:
  // Looks at the first `steps` steps that it is shown; 0: at none.
  explicit ConstantRewards(int steps) : left_(steps) {}

  // Reads reward/{fn}/{mean,std} of the step's metrics. After the last of the steps: one event of
  // code "constant_reward" for every function that gave one value only.
  std::vector<Event> step(const StepRecord& record);

 private:
  int left_;
  int seen_ = 0;
  std::map<std::string, std::optional<double>> value_;  // by function; none: they differ
};

}  // namespace allot
