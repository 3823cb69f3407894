#include "allot/loop/stall_watch.h"

#include <gtest/gtest.h>

namespace allot {
namespace {

class SetClock : public Clock {
 public:
  double seconds() const override { return now; }
  double now = 1000;
};

TEST(StallWatch, SpeaksAfterTheLimitAndAgainAfterEveryFurtherOne) {
  SetClock clock;
  StallWatch watch(clock, 60);
  watch.begin({0, 0});
  clock.now += 59.9;
  EXPECT_FALSE(watch.look({0, 5}, 48));
  clock.now += 0.1;
  EXPECT_EQ(watch.look({0, 812}, 48).value(),
            "no rollout finished for 60 s; 48 are outstanding, the longest has 812 tokens so far");
  clock.now += 30;
  EXPECT_FALSE(watch.look({0, 900}, 48));
  clock.now += 31;
  EXPECT_TRUE(watch.look({0, 950}, 48).value().starts_with("no rollout finished for 121 s; 48 "));
  clock.now += 200;  // nobody looked for a while: one warning, not three
  EXPECT_TRUE(watch.look({0, 950}, 48));
  EXPECT_FALSE(watch.look({0, 950}, 48));
}

TEST(StallWatch, ARolloutThatFinishesStartsTheTimeAnew) {
  SetClock clock;
  StallWatch watch(clock, 60);
  watch.begin({7, 0});
  clock.now += 59;
  EXPECT_FALSE(watch.look({8, 0}, 10));
  clock.now += 59;
  EXPECT_FALSE(watch.look({8, 0}, 10));
  clock.now += 1;
  // One of ten finished since the waiting began; no length is known.
  EXPECT_EQ(watch.look({8, 0}, 10).value(), "no rollout finished for 60 s; 9 are outstanding");
  clock.now += 1000;
  watch.begin({8, 0});
  EXPECT_FALSE(watch.look({8, 0}, 10));
}

TEST(StallWatch, ZeroIsNever) {
  SetClock clock;
  StallWatch watch(clock, 0);
  watch.begin({0, 0});
  clock.now += 1e6;
  EXPECT_FALSE(watch.look({0, 0}, 1));
}

}  // namespace
}  // namespace allot
