// The policy loss alone, on given numbers: `allot objective`.
//
// Input, JSONL, one step per line; lists over the rows of the step, names as in docs/objectives.md:
//   {"preset": "gspo", "options": {"loss.clip_high": 0.1, "adv.scale": "none"},
//    "logprobs": [[-0.4, -0.8], [-0.45]], "old_logprobs": [[-0.5, -1.1], [-0.3]],
//    "rewards": [1, 0], "group_index": [0, 0]}
//   rewards: a number or null (not scorable) per row, or a list of them. Unknown keys are refused.
// Output, a line each: {"advantages": [[..], ..], "loss": L, "coefficient_loss": ..,
//   "grad": [[..], ..] (dL / d logprobs), "metrics": {"policy/clip_low": .., ..}}
// and "grad_log_partition" for flow_rl.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "allot/app/yaml_file.h"

namespace allot {

// `settings`: keys of loss.* and adv.*; those of a line win. `where` names the input in errors.
// Throws Error(Data) for a broken line, Error(Config) for options.
std::vector<std::string> objective_lines(std::string_view text, std::string_view where,
                                         const std::vector<Setting>& settings);

}  // namespace allot
