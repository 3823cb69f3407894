#include "allot/methods/parts/choosing.h"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "allot/methods/parts/selectors.h"

namespace allot {
namespace {

using Positions = std::vector<std::uint32_t>;

TEST(NearestTo, APointRanksByDistanceAndPosition) {
  const std::vector<double> values = {.9, .25, .75, .5, .1};
  EXPECT_EQ(nearest_to(values, .5, .5, 3), (Positions{3, 1, 2}));  // .25 and .75 are equally far
  EXPECT_EQ(nearest_to(values, .5, .5, 9), (Positions{3, 1, 2, 0, 4}));
  EXPECT_TRUE(nearest_to(values, .5, .5, 0).empty());
  EXPECT_TRUE(nearest_to({}, .5, .5, 4).empty());
}

TEST(NearestTo, InsideAnIntervalTiesDecide) {
  const std::vector<double> values = {.4, .9, .5, .05, .6};
  const std::vector<double> ties = {.3, .1, .2, .4, .1};
  EXPECT_EQ(nearest_to(values, .3, .7, 2, ties), (Positions{4, 2}));
  EXPECT_EQ(nearest_to(values, .3, .7, 5, ties), (Positions{4, 2, 0, 1, 3}));
}

TEST(NearestTo, AgreesWithAFullSort) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    RandomStream random({seed, RandomUse::Test, 5, 0, 0});
    std::vector<double> values(40);
    for (double& value : values) value = std::floor(10 * random.uniform()) / 10;
    const double low = .3 * random.uniform(), high = low + .4 * random.uniform();
    std::vector<std::pair<double, std::uint32_t>> sorted;
    for (std::uint32_t i = 0; i < values.size(); ++i)
      sorted.emplace_back(std::max({0.0, low - values[i], values[i] - high}), i);
    std::sort(sorted.begin(), sorted.end());
    const Positions chosen = nearest_to(values, low, high, 15);
    ASSERT_EQ(chosen.size(), 15u);
    for (std::size_t i = 0; i < chosen.size(); ++i) EXPECT_EQ(chosen[i], sorted[i].second);
  }
}

TEST(ChoiceStream, SharesNothingWithSelections) {
  for (const PromptId prompt : {0u, 7u}) {
    RandomStream choice = choice_stream(1, 2, prompt), selection = selection_stream(1, 2, prompt);
    EXPECT_NE(choice.uniform(), selection.uniform());
    EXPECT_EQ(choice_stream(1, 2, prompt).bits(), choice_stream(1, 2, prompt).bits());
  }
}

}  // namespace
}  // namespace allot
