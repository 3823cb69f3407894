// What a method that trains on whole groups leaves open about its loss: the outer normaliser and a
// limit on advantages.
#pragma once

#include "allot/core/options.h"
#include "allot/core/types.h"

namespace allot {

enum class GroupedNorm { PerToken, PerGroup };

struct GroupLoss {
  GroupedNorm norm = GroupedNorm::PerGroup;
  double advantage_clip = 0;

  template <class V>
  void fields(V& v) {
    v("norm", norm,
      Choices<GroupedNorm>{{"per_token", GroupedNorm::PerToken},
                           {"per_group", GroupedNorm::PerGroup}},
      "mean over all tokens of the step, where larger groups and longer answers weigh more, or "
      "over groups, then rollouts, then tokens");
    v("advantage_clip", advantage_clip, Range{0, 1e6},
      "advantages are clipped to this size on either side; 0 = not");
  }

  // Sets the normaliser of `batch` and clips its advantages.
  void apply(TrainBatch& batch) const;
};

}  // namespace allot
