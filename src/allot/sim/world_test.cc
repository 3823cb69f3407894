#include "allot/sim/world.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "allot/core/error.h"

namespace allot::sim {
namespace {

double starting_rate(const World& world, std::size_t prompt) {
  return sigmoid(-world.traits(prompt).difficulty);
}

double mean_rate(Pool pool) {
  double sum = 0;
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    const World world({.pool = pool}, seed);
    for (std::size_t i = 0; i < world.size(); ++i) sum += starting_rate(world, i);
  }
  return sum / (4 * 3000);
}

TEST(World, PoolsHaveTheMeanPassRatesOfTheTable) {
  const std::map<Pool, double> table = {{Pool::Bimodal, .50}, {Pool::Hard, .12},
                                        {Pool::Uniform, .50}, {Pool::Solved, .84},
                                        {Pool::Heavy, .38},   {Pool::Dead, .25}};
  for (const auto& [pool, rate] : table) EXPECT_NEAR(mean_rate(pool), rate, .012) << name(pool);
}

TEST(World, SharesOfTheMixtures) {
  const World dead({.pool = Pool::Dead}, 1);
  const World bimodal({.pool = Pool::Bimodal}, 1);
  double impossible = 0, low = 0, high = 0;
  for (std::size_t i = 0; i < dead.size(); ++i) {
    impossible += dead.traits(i).difficulty == 30;
    low += -bimodal.traits(i).difficulty < -2;
    high += -bimodal.traits(i).difficulty > 2;
    EXPECT_GE(-bimodal.traits(i).difficulty, -10);
    EXPECT_LE(-bimodal.traits(i).difficulty, 10);
  }
  EXPECT_NEAR(impossible / 3000, .5, .03);
  EXPECT_NEAR(low / 3000, .45 * .977 + .1 * .023, .03);   // Phi(2) and Phi(-2)
  EXPECT_NEAR(high / 3000, .45 * .984 + .1 * .023, .03);  // Phi(1.5 / .7)
}

TEST(World, DirectionsHaveTheirLengths) {
  const World world({}, 3);
  std::set<std::uint32_t> used;
  for (std::size_t i = 0; i < world.size(); ++i) {
    const PromptTraits& traits = world.traits(i);
    double a = 0, c = 0;
    for (const double strength : traits.strength) {
      a += strength * strength;
      EXPECT_GT(strength, 0);
    }
    for (const float x : world.idiosyncratic(i)) c += double{x} * x;
    EXPECT_NEAR(a, 1, 1e-12);
    EXPECT_NEAR(c, 9, 1e-4);
    EXPECT_TRUE(std::is_sorted(traits.skill.begin(), traits.skill.end()));
    EXPECT_EQ(std::set(traits.skill.begin(), traits.skill.end()).size(), 3u);
    used.insert(traits.skill.begin(), traits.skill.end());
  }
  EXPECT_EQ(used.size(), kSkills);
  EXPECT_EQ(*used.rbegin(), kSkills - 1);
}

TEST(World, LengthsAverageOneUnitAndFallWithThePassRate) {
  for (const Lengths lengths : {Lengths::Default, Lengths::Equal, Lengths::Split}) {
    const World world({.lengths = lengths}, 5);
    double sum = 0, easy = 0, easy_n = 0, hard = 0, hard_n = 0;
    for (std::size_t i = 0; i < world.size(); ++i) {
      const double tokens = world.traits(i).tokens;
      sum += tokens;
      if (starting_rate(world, i) > .9) easy += tokens, ++easy_n;
      if (starting_rate(world, i) < .1) hard += tokens, ++hard_n;
    }
    EXPECT_NEAR(sum / world.size(), kTokensPerUnit, .5);
    const double ratio = (hard / hard_n) / (easy / easy_n);
    if (lengths == Lengths::Equal)
      EXPECT_EQ(ratio, 1);
    else
      EXPECT_NEAR(ratio, std::exp(.15 * 7.0), .2);  // clipped logits are about 3.4 and -3.7
  }
}

TEST(World, SplitSeparatesTheSkillsOfLongAndShortPrompts) {
  const World world({.lengths = Lengths::Split}, 6);
  std::vector<std::uint32_t> tokens;
  for (std::size_t i = 0; i < world.size(); ++i) tokens.push_back(world.traits(i).tokens);
  std::sort(tokens.begin(), tokens.end());
  const std::uint32_t median = tokens[tokens.size() / 2];
  for (std::size_t i = 0; i < world.size(); ++i) {
    const PromptTraits& traits = world.traits(i);
    if (traits.tokens > median) {
      EXPECT_GE(traits.skill.front(), 8u);
    }
    if (traits.tokens < median) {
      EXPECT_LT(traits.skill.back(), 8u);
    }
  }
}

TEST(World, OneSeedSharesWhatPoolsDoNotChange) {
  const World a({.pool = Pool::Hard}, 7), b({.pool = Pool::Solved}, 7),
      again({.pool = Pool::Hard}, 7), other({.pool = Pool::Hard}, 8);
  EXPECT_EQ(a.traits(11).skill, b.traits(11).skill);
  EXPECT_TRUE(std::ranges::equal(a.idiosyncratic(11), b.idiosyncratic(11)));
  EXPECT_EQ(a.traits(11).difficulty, again.traits(11).difficulty);
  EXPECT_EQ(a.traits(11).tokens, again.traits(11).tokens);
  EXPECT_NE(a.traits(11).difficulty, other.traits(11).difficulty);
}

TEST(World, NamesAreReadBack) {
  for (const Pool pool : all_pools()) EXPECT_EQ(pool_named(name(pool)), pool);
  EXPECT_EQ(lengths_named("split"), Lengths::Split);
  try {
    pool_named("bimodel");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("did you mean 'bimodal'"), std::string::npos);
  }
  EXPECT_THROW(World({.train = 0}, 1), Error);
}

}  // namespace
}  // namespace allot::sim
