#include "allot/methods/parts/held_ids.h"

#include <gtest/gtest.h>

namespace allot {
namespace {

using Ids = std::vector<RolloutId>;

TEST(HeldIds, NamesOnlyWhatChanges) {
  HeldIds held;
  TrainBatch first, second, third, fourth;
  held.update({5, 3, 4}, first);
  EXPECT_EQ(first.hold, (Ids{3, 4, 5}));
  EXPECT_TRUE(first.release.empty());
  held.update({9, 4, 3}, second);
  EXPECT_EQ(second.hold, (Ids{9}));
  EXPECT_EQ(second.release, (Ids{5}));
  const Ids lost = {3};
  held.lose(lost);
  held.update({9}, third);  // 3 is gone already and is not given back
  EXPECT_TRUE(third.hold.empty());
  EXPECT_EQ(third.release, (Ids{4}));
  held.update({}, fourth);
  EXPECT_EQ(fourth.release, (Ids{9}));
}

}  // namespace
}  // namespace allot
