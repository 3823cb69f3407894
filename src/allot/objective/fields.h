// The fields of a step as files and Python give them, one list per field, and the rows they make.
// Source: objectives, section 2, with its names.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "allot/core/options.h"
#include "allot/objective/evaluate.h"

namespace allot::objective {

using Numbers = std::vector<double>;
using Matrix = std::vector<Numbers>;
using Cube = std::vector<Matrix>;

// B rows of possibly different numbers of tokens T, K likeliest tokens, H hidden values. All but
// logprobs may be empty.
struct Fields {
  Matrix logprobs, old_logprobs, rollout_logprobs, ref_logprobs;  // [B][T]
  Matrix mask, entropy, token_ids;                                // [B][T]
  Matrix rewards;                                             // [B][components], NaN = not scorable
  Matrix external_advantage;                                  // [B][1] or [B][T]
  Matrix group_index, item_weight, log_partition, truncated;  // [B][1]
  Matrix rollout_id;                                          // [B][1]
  std::vector<std::string> anchor_override;                   // [B]: "recompute" or "behaviour"
  Cube rollout_topk_ids, rollout_topk_logprobs, topk_logprobs, old_topk_logprobs;  // [B][T][K]
  Cube hidden;                                                                     // [B][T][H]
  std::uint64_t seed = 0, step = 0;
};

// Throws Error(Data) naming the field and row whose shape does not fit. Numbers at tokens with mask
// 0 are not read.
Step step_of(const Fields& fields);

// (name, member) of every list of numbers per row, so that readers need no list of their own.
std::vector<std::pair<const char*, Matrix Fields::*>> matrix_fields();
std::vector<std::pair<const char*, Cube Fields::*>> cube_fields();

// evaluate() of these fields. Throws also where the loss needs one of which rows do not show that
// it is missing, naming the setting and the field.
Evaluation evaluate(const LossOptions& options, const ScalarEstimator& estimator,
                    const Fields& fields);

// Settings in order of strength: what the preset among them says of adv.*, then they themselves.
// `list` has loss.* and adv.*; `given`: pairs of key and value.
void apply_settings(OptionList& list, const std::vector<std::pair<std::string, std::string>>& given,
                    std::string_view origin);

}  // namespace allot::objective
