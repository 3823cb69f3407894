// Golden numbers of CERO's arithmetic (acceptance tests 1 to 4 and 7 of its specification).
#include "allot/methods/parts/cero_duals.h"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "allot/core/random.h"
#include "allot/methods/parts/belief.h"

namespace allot {
namespace {

CeroScale published() {
  return {.prompts = 8958, .rounds = 500, .budget = 64000, .per_prompt = 2, .per_round = 132};
}

double q_after(double right, double wrong) {
  BetaBelief belief;
  belief.add(right, wrong);
  return belief.reward_variance();
}

TEST(CeroDuals, Constants) {
  const CeroScale s = published();
  EXPECT_EQ(s.mean_round(), 128);
  EXPECT_NEAR(s.equal_share(), 7.144452, 5e-7);
  EXPECT_NEAR(s.equal_share() / s.rounds, .0142889, 5e-8);
  EXPECT_NEAR(s.gamma(), .0447214, 5e-8);
  EXPECT_NEAR(next_price(.5, 132, s), .5013975, 5e-8);
  EXPECT_NEAR((2. / 3 - .5) / (s.gamma() * 4 / 128), 119.26,
              .005);  // full rounds to the first skip
  EXPECT_NEAR(.5 - next_price(.5, 0, s), s.gamma(), 1e-12);
}

TEST(CeroDuals, FirstVisit) {
  const CeroScale s = published();
  EXPECT_NEAR(4 * BetaBelief().reward_variance(), 2. / 3, 1e-15);
  const double slope = 2. / 3;
  const double theta = s.top_slope() * slope;

  const double half = q_after(4, 4);
  EXPECT_NEAR(half, .2272727, 5e-8);
  EXPECT_NEAR(best_units(theta, s.steepness(half), s.most_units()), 2.437476, 5e-7);
  EXPECT_NEAR(next_slope(slope, half, 2, s), .622054, 5e-7);

  const double none = q_after(0, 8);
  EXPECT_NEAR(none, .0818182, 5e-8);
  EXPECT_EQ(best_units(theta, s.steepness(none), s.most_units()), 0);
  EXPECT_NEAR(next_slope(slope, none, 2, s), .621945, 5e-7);

  EXPECT_NEAR(next_slope(slope, 1. / 6, 0, s), slope, 1e-12);  // unvisited
}

TEST(CeroDuals, ConjugateIsTheInfimum) {
  const CeroScale s = published();
  RandomStream random({1, RandomUse::Test, 0, 0, 0});
  for (int i = 0; i < 200; ++i) {
    const double c = s.steepness(.25 * random.uniform()), most = 60 * random.uniform();
    const double theta = s.top_slope() * random.uniform();
    double lowest = 0;
    for (int j = 0; j <= 20000; ++j) {
      const double z = most * j / 20000;
      lowest = std::min(lowest, theta * z - 1 + std::exp(-c * z));
    }
    EXPECT_NEAR(conjugate(theta, c, most), lowest, 1e-6);
    const double z = best_units(theta, c, most);
    EXPECT_TRUE(z >= 0 && z <= most);
    EXPECT_NEAR(theta * z - 1 + std::exp(-c * z), conjugate(theta, c, most), 1e-12);
  }
}

TEST(CeroDuals, UtilityIsTheMinimumOverSlopes) {
  // The theorem's identity U(z) = min over theta in [0, cbar] of theta z - U*(theta).
  const CeroScale s = published();
  for (const auto& [slopes, tolerance] : {std::pair{2000, 5e-5}, {20000, 1e-6}}) {
    double worst = 0;
    for (const double q : {.01, .05, .1, .2, .25})
      for (int z = 0; z <= 50; ++z) {
        const double c = s.steepness(q);
        double lowest = INFINITY;
        for (int i = 0; i <= slopes; ++i) {
          const double theta = s.top_slope() * i / slopes;
          lowest = std::min(lowest, theta * z - conjugate(theta, c, s.most_units()));
        }
        worst = std::max(worst, std::abs(lowest - (1 - std::exp(-c * z))));
      }
    EXPECT_LT(worst, tolerance) << slopes;
  }
}

TEST(CeroDuals, ConjugateGoldenNumbers) {
  const CeroScale s = published();
  const auto at = [&](double q, double slope) {
    return conjugate(s.top_slope() * slope, s.steepness(q), s.most_units());
  };
  EXPECT_NEAR(at(.25, .5), -.153426, 5e-7);
  EXPECT_NEAR(at(.25, .2), -.478112, 5e-7);
  EXPECT_EQ(at(.05, .2), 0);
  EXPECT_EQ(at(.05, .7), 0);
}

TEST(CeroDuals, NoDivisionByZero) {
  CeroScale s = published();
  s.lambda = 0;
  EXPECT_EQ(next_slope(.5, .2, 0, s), .5);
  EXPECT_LT(next_slope(.5, .2, 2, s), .5);
  s = {.prompts = 1, .rounds = 1, .budget = 2, .per_prompt = 2, .per_round = 2};
  for (const double q : {0., .1, .25})
    for (const double slope : {0., .5, 1.}) {
      EXPECT_TRUE(std::isfinite(next_slope(slope, q, 2, s)));
      EXPECT_TRUE(std::isfinite(next_slope(slope, q, 0, s)));
    }
  EXPECT_EQ(next_slope(0, .25, 0, s), 1);  // theta = 0 wants all Z units
  s.budget = 0, s.per_round = 0;
  EXPECT_EQ(next_price(.5, 0, s), .5);
}

TEST(CeroDuals, RankingIsTheHeadOfTheSortedPool) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    RandomStream random({seed, RandomUse::Test, 1, 0, 0});
    std::vector<Ranked> pool;
    const std::uint64_t n = random.below(200), size = random.below(40);
    for (PromptId id = 0; id < n; ++id)  // many ties on purpose
      pool.push_back({.25 * static_cast<double>(random.below(4)),
                      static_cast<std::uint32_t>(random.below(5)), id});
    Ranking ranking(size);
    for (const Ranked& prompt : pool) ranking.offer(prompt);
    const std::vector<Ranked> head = ranking.take();
    std::sort(pool.begin(), pool.end(), [](auto& a, auto& b) { return a.before(b); });
    ASSERT_EQ(head.size(), std::min(n, size));
    for (std::size_t i = 0; i < head.size(); ++i) EXPECT_EQ(head[i].prompt, pool[i].prompt);
  }
}

TEST(CeroDuals, UnitsOfARound) {
  const std::vector<Ranked> ranked = {{.9, 0, 1}, {.8, 0, 2}, {.7, 0, 3}, {.5, 0, 4}, {.2, 0, 5}};
  const auto units = [&](double price, const RoundLimits& limits) {
    return round_units(ranked, price, limits);
  };
  using Units = std::vector<std::uint32_t>;
  // All or nothing but for one residual; the comparison with the price is strict.
  EXPECT_EQ(units(.5, {5, 2, 100, 0}).planned, (Units{2, 2, 1, 0, 0}));
  EXPECT_EQ(units(.5, {9, 2, 100, 0}).planned, (Units{2, 2, 2, 0, 0}));
  // The plan ignores what is left of the budget; what is executed is its prefix.
  const RoundUnits poor = units(.1, {9, 2, 3, 0});
  EXPECT_EQ(poor.planned, (Units{2, 2, 2, 2, 1}));
  EXPECT_EQ(poor.executed, (Units{2, 1, 0, 0, 0}));
  EXPECT_EQ(poor.planned_sum, 9u);
  EXPECT_EQ(poor.executed_sum, 3u);
  // Catch-up fills in rank order, also below the price, and leaves the plan alone.
  const RoundUnits late = units(.75, {9, 2, 100, 7});
  EXPECT_EQ(late.planned, (Units{2, 2, 0, 0, 0}));
  EXPECT_EQ(late.executed, (Units{2, 2, 2, 1, 0}));
  EXPECT_EQ(units(.95, {9, 2, 4, 7}).executed, (Units{2, 2, 0, 0, 0}));
}

TEST(CeroDuals, DualsStayInsideTheirRange) {
  RandomStream random({2, RandomUse::Test, 0, 0, 0});
  for (int i = 0; i < 2000; ++i) {
    CeroScale s{.prompts = 1 + 1000 * random.uniform(),
                .rounds = 1 + 500 * random.uniform(),
                .budget = 1e5 * random.uniform(),
                .per_prompt = 1 + static_cast<double>(random.below(4)),
                .lambda = 5 * random.uniform()};
    s.per_round = s.mean_round() * (1 + random.uniform());
    const double slope =
        next_slope(random.uniform(), .25 * random.uniform(), s.per_prompt * random.uniform(), s);
    const double price = next_price(random.uniform(), s.per_round * random.uniform(), s);
    EXPECT_TRUE(slope >= 0 && slope <= 1 && price >= 0 && price <= 1);
  }
}

}  // namespace
}  // namespace allot
