// Response reuse (AR3PO): a group without a correct response gets an earlier one of its prompt.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "allot/core/options.h"
#include "allot/core/random.h"
#include "allot/core/types.h"
#include "allot/methods/parts/group_pool.h"
#include "allot/methods/parts/metric_list.h"
#include "allot/methods/parts/ragged.h"
#include "allot/methods/parts/response_buffer.h"

namespace allot {

// What the loss divides by for the earlier response. Recompute: its probability under the policy at
// the start of the step, so that its ratio starts at 1. Behaviour: under the policy that made it.
// Stopgrad: nothing; it has weight 0 and only lifts the baseline of the others.
enum class ReuseMode { Recompute, Stopgrad, Behaviour };
enum class ReusePlace { Replace, Append };
enum class ReuseDraw { Newest, Uniform };

struct ReuseOptions {
  int buffer = 4;
  ReuseMode mode = ReuseMode::Recompute;
  ReusePlace place = ReusePlace::Replace;
  ReuseDraw draw = ReuseDraw::Newest;

  template <class V>
  void fields(V& v) {
    v("buffer", buffer, Range{0, 1024},
      "earlier correct responses kept per prompt, first in first out; 0 = no reuse");
    v("reuse_mode", mode,
      Choices<ReuseMode>{{"recompute", ReuseMode::Recompute},
                         {"stopgrad", ReuseMode::Stopgrad},
                         {"behaviour", ReuseMode::Behaviour}},
      "importance ratio of an earlier response: against the policy at the start of the step; left "
      "out of the loss (weight 0), in the baseline only; or against the policy that made it");
    v("reuse_place", place,
      Choices<ReusePlace>{{"replace", ReusePlace::Replace}, {"append", ReusePlace::Append}},
      "whether it takes the place of a wrong response, drawn uniformly, or comes on top");
    v("reuse_draw", draw,
      Choices<ReuseDraw>{{"newest", ReuseDraw::Newest}, {"uniform", ReuseDraw::Uniform}},
      "which of the kept ones is taken");
  }
};

// The members of the groups of a step that advantages are computed over: of each the scored
// rollouts, possibly one of them left out, then possibly an earlier response.
struct ReusedGroups {
  Ragged<std::uint32_t> kept;  // positions in the group
  std::vector<std::optional<EarlierResponse>> reused;
  Ragged<double> rewards;  // of the members

  // Reuses only if the group has scored rollouts, none of them correct, and `earlier` is not empty.
  void add(const Group& group, std::span<const EarlierResponse> earlier,
           const ReuseOptions& options, RandomStream stream);

  // Adds the members of group i as one group, each with weight 1 / members, so that under
  // Norm::Fixed every prompt is a mean over its members. Nothing is added without a signal. Returns
  // the number of items.
  std::uint32_t ship(std::size_t i, const Group& group, std::span<const double> advantages,
                     ReuseMode mode, TrainBatch& batch) const;
};

// Adds a list: what this step may keep of a group for later ones, in issue order.
void add_correct_responses(const Group& group, Ragged<EarlierResponse>& responses);

// responses_per_prompt, solved_by_stage_1 .. _`stages` (share of prompts with a correct response by
// then) and all_right_share (of prompts with a score).
MetricList stage_metrics(const std::vector<Group>& groups, std::uint32_t stages);

}  // namespace allot
