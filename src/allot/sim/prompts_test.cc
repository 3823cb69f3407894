#include "allot/sim/prompts.h"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>

#include "allot/core/error.h"

namespace allot::sim {
namespace {

std::vector<PromptId> ids(std::span<const PromptRef> refs) {
  std::vector<PromptId> out;
  for (const PromptRef& ref : refs) out.push_back(ref.id);
  return out;
}

TEST(SimPrompts, AnEpochIsAPermutationOfTheTrainingPrompts) {
  const World world({.train = 50, .held_out = 5}, 3);
  SimPrompts prompts(world);
  for (int epoch = 0; epoch < 3; ++epoch) {
    std::set<PromptId> seen;
    for (int step = 0; step < 5; ++step) {
      prompts.begin_step(static_cast<std::uint64_t>(step));
      for (const PromptId id : ids(prompts.candidates(10, Draw::Stream))) seen.insert(id);
    }
    EXPECT_EQ(seen.size(), 50u);
    EXPECT_EQ(*seen.rbegin(), 49u);
  }
}

TEST(SimPrompts, IdsAreDistinctWithinAStepAndNothingIsLost) {
  const World world({.train = 20, .held_out = 5}, 3);
  SimPrompts prompts(world);
  std::vector<int> shown(20);
  for (int step = 0; step < 200; ++step) {
    prompts.begin_step(static_cast<std::uint64_t>(step));
    std::vector<PromptId> all = ids(prompts.candidates(7, Draw::Stream));
    for (const PromptId id : ids(prompts.candidates(9, Draw::Stream))) all.push_back(id);
    for (const PromptId id : all) ++shown[id];
    EXPECT_EQ(all.size(), 16u);
    EXPECT_EQ(std::set(all.begin(), all.end()).size(), 16u);
  }
  for (const int count : shown) EXPECT_NEAR(count, 160, 1);
  prompts.begin_step(999);
  EXPECT_EQ(prompts.candidates(50, Draw::Stream).size(), 20u);
  EXPECT_TRUE(prompts.candidates(1, Draw::Stream).empty());
}

TEST(SimPrompts, UniformDrawsAreKeyedAndPoolsAreWhole) {
  const World world({.train = 40, .held_out = 5}, 3);
  SimPrompts a(world), b(world);
  b.begin_step(0);
  b.candidates(13, Draw::Stream);
  for (SimPrompts* prompts : {&a, &b}) prompts->begin_step(4);
  EXPECT_EQ(ids(a.candidates(8, Draw::Uniform)), ids(b.candidates(8, Draw::Uniform)));
  a.begin_step(5);
  b.begin_step(4);
  EXPECT_NE(ids(a.candidates(8, Draw::Uniform)), ids(b.candidates(8, Draw::Uniform)));
  EXPECT_EQ(a.candidates(1, Draw::Pool).size(), 40u);
}

TEST(SimPrompts, ResumesWhereItWasSaved) {
  const World world({.train = 30, .held_out = 5}, 3), other({.train = 30, .held_out = 5}, 4);
  SimPrompts prompts(world), copy(world), stranger(other);
  prompts.begin_step(0);
  prompts.candidates(22, Draw::Stream);
  copy.load(prompts.save());
  EXPECT_EQ(ids(prompts.candidates(8, Draw::Stream)), ids(copy.candidates(8, Draw::Stream)));
  EXPECT_THROW(stranger.load(prompts.save()), Error);
  EXPECT_THROW(prompts.get(30), Error);
  EXPECT_EQ(prompts.get(29).id, 29u);
}

}  // namespace
}  // namespace allot::sim
