// GRESO's arithmetic (acceptance tests of the method's specification).
#include "allot/methods/parts/useless_runs.h"

#include <vector>

#include <gtest/gtest.h>

namespace allot {
namespace {

// 1. Half a chance after one useless visit, never less than one in a hundred.
TEST(UselessRuns, KeepProbabilities) {
  const std::vector<double> wanted = {1, .5, .25, .125, .0625, .03125, .015625, .01};
  for (std::uint32_t z = 0; z < wanted.size(); ++z)
    EXPECT_EQ(keep_probability(.5, z, .01), wanted[z]) << z;
  EXPECT_EQ(keep_probability(0, 0, .01), 1);  // z = 0 is never skipped
}

UselessRun after(const std::vector<double>& trace, const UselessBounds& bounds) {
  UselessRun run;
  for (const double mean : trace) run.visit(bounds.side(mean));
  return run;
}

// The latest consecutive entries of one side, counted over the whole trace.
std::uint32_t counted(const std::vector<double>& trace, const UselessBounds& bounds, Useless side) {
  std::uint32_t z = 0;
  for (auto entry = trace.rbegin(); entry != trace.rend() && bounds.side(*entry) == side; ++entry)
    ++z;
  return z;
}

// 2. Traces of the specification, with our bounds and with those of the code.
TEST(UselessRuns, Traces) {
  const UselessBounds ours, code{.98, .11};
  EXPECT_EQ(after({0, 0, .5, 1, 1}, ours).side, Useless::Easy);
  EXPECT_EQ(after({0, 0, .5, 1, 1}, ours).length, 2u);
  EXPECT_EQ(after({1, .1, 0}, code).side, Useless::Hard);
  EXPECT_EQ(after({1, .1, 0}, code).length, 2u);
  EXPECT_EQ(after({1, .1, 0}, ours).length, 1u);
  EXPECT_EQ(after({}, ours).length, 0u);
  EXPECT_EQ(after({1, 0, .5}, ours).length, 0u);
  EXPECT_EQ(after({1, 1, 0}, ours).length, 1u);
}

// The tail is all that counts: every trace of six entries agrees with a count over the trace.
TEST(UselessRuns, AgreeWithTheWholeTrace) {
  const double means[] = {0, .5, 1};
  const UselessBounds bounds;
  for (int code = 0; code < 729; ++code) {
    std::vector<double> trace;
    for (int rest = code, i = 0; i < 6; ++i, rest /= 3) trace.push_back(means[rest % 3]);
    const UselessRun run = after(trace, bounds);
    EXPECT_EQ(run.side == Useless::Easy ? run.length : 0, counted(trace, bounds, Useless::Easy));
    EXPECT_EQ(run.side == Useless::Hard ? run.length : 0, counted(trace, bounds, Useless::Hard));
  }
}

// 3. At the target the probability falls; it stays within its bounds.
TEST(UselessRuns, RatesFollowTheShare) {
  KeepRate rate;
  rate.adapt(.1667, .1667, .01, .05, .95);
  EXPECT_DOUBLE_EQ(rate.base, .49);
  rate.adapt(.1666, .1667, .01, .05, .95);
  EXPECT_DOUBLE_EQ(rate.base, .5);
  for (int i = 0; i < 1000; ++i) rate.adapt(1, .1667, .01, .05, .95);
  EXPECT_EQ(rate.base, .05);
  for (int i = 0; i < 1000; ++i) rate.adapt(0, .1667, .01, .05, .95);
  EXPECT_EQ(rate.base, .95);
}

// 4. T = 256, draws of at most 384, at least 64, share .5.
TEST(UselessRuns, NextDraw) {
  const NextDraw many = next_useful_draw(156, .5, 64, 384);  // 390
  EXPECT_EQ(many.size, 384u);
  EXPECT_FALSE(many.last);
  const NextDraw few = next_useful_draw(56, .5, 64, 384);
  EXPECT_EQ(few.size, 140u);
  EXPECT_TRUE(few.last);
  EXPECT_EQ(next_useful_draw(1, .5, 64, 384).size, 64u);
  const NextDraw hopeless = next_useful_draw(1, 1, 64, 384);
  EXPECT_EQ(hopeless.size, 384u);
  EXPECT_FALSE(hopeless.last);
  EXPECT_TRUE(next_useful_draw(192, .375, 8, 384).last);  // exactly 384
}

}  // namespace
}  // namespace allot
