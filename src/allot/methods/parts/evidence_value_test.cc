// Acceptance tests 1 to 3 and 5 of the specification of `evidence`.
#include "allot/methods/parts/evidence_value.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "allot/core/random.h"

namespace allot {
namespace {

PairKeeper all_kept(double charge) { return {{Keep::All}, charge}; }

// E x = E[M] - E[M^2] / T for M = m + X, from the first two moments of the BetaBinomial.
double closed_form(const BetaBelief& belief, double m, double n, double block) {
  const double a = belief.a, b = belief.b, total = n + block;
  const double mean = block * a / (a + b);
  const double variance = block * a * b * (a + b + block) / ((a + b) * (a + b) * (a + b + 1));
  const double first = m + mean, second = variance + first * first;
  return first - second / total - (n > 0 ? m * (n - m) / n : 0);
}

TEST(ExpectedGain, EnumerationEqualsTheClosedFormWithoutACharge) {
  for (const BetaBelief& belief : {BetaBelief{1, 1}, {0.3, 2.1}, {7, 0.5}})
    for (std::uint32_t n = 0; n <= 8; ++n)
      for (std::uint32_t m = 0; m <= n; ++m)
        for (std::uint32_t block = 1; block <= 8; ++block)
          EXPECT_NEAR(expected_gain(belief, m, n, block, all_kept(0)),
                      closed_form(belief, m, n, block), 1e-12);
}

TEST(ExpectedGain, AgreesWithSampling) {
  const BetaBelief belief{1.5, 4};
  RandomStream random({3, RandomUse::Test});
  double sum = 0;
  constexpr int kDraws = 200000;
  for (int i = 0; i < kDraws; ++i) {
    const double p = random.beta(belief.a, belief.b);
    double m = 1;
    for (int k = 0; k < 6; ++k) m += random.uniform() < p;
    sum += group_worth(group_evidence(m, 8), 8, 0.1);
  }
  const double now = group_worth(group_evidence(1, 2), 2, 0.1);
  EXPECT_NEAR(expected_gain(belief, 1, 2, 6, all_kept(0.1)), sum / kDraws - now, 0.005);
}

// Every choice of j of the more frequent reward, looked at one by one; without prompt noise also
// every choice of the rarer one.
TEST(PairKeeper, FindsTheChoiceOfLargestWorth) {
  for (const double noise : {0.0, 0.05, 1.0})
    for (const double charge : {0.0, 0.01, 0.05, 0.105, 0.2, 0.24, 0.3})
      for (int right = 0; right <= 14; ++right)
        for (int wrong = 0; wrong <= 14; ++wrong) {
          const int rarer = std::min(right, wrong), frequent = std::max(right, wrong);
          double best = 0;
          for (int i = noise > 0 ? rarer : 0; i <= rarer; ++i)
            for (int j = 0; j <= frequent; ++j) {
              const double x = group_evidence(i, i + j);
              best = std::max(best, x / (1 + noise * x) - charge * (i + j));
            }
          const PairKeeper keeper({Keep::Worth, noise}, charge);
          EXPECT_NEAR(keeper.worth(right, right + wrong), best, 1e-12) << right << " " << wrong;
          EXPECT_EQ(keeper.of(right, wrong).rarer, rarer);
        }
}

// Weights 1 / (1 + v x) against any others, by the ratio that they are to make largest.
TEST(GroupRule, NoOtherWeightsHaveALargerSignalToNoiseRatio) {
  const GroupRule rule{Keep::All, 0.7};
  const std::vector<double> x = {.5, 1, 2.5, 4};
  const auto ratio = [&](const std::vector<double>& w) {
    double signal = 0, noise = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      signal += w[i] * x[i];
      noise += w[i] * w[i] * x[i] * (1 + rule.prompt_noise * x[i]);
    }
    return signal * signal / noise;
  };
  std::vector<double> own;
  double sum = 0;
  for (const double xi : x) {
    own.push_back(rule.weight(xi));
    sum += rule.evidence(xi);
  }
  EXPECT_NEAR(ratio(own), sum, 1e-12);
  RandomStream random({5, RandomUse::Test});
  for (int i = 0; i < 1000; ++i) {
    std::vector<double> other;
    for (std::size_t k = 0; k < x.size(); ++k) other.push_back(random.uniform());
    EXPECT_LE(ratio(other), sum + 1e-12);
  }
}

TEST(ExpectedGain, CountsOnlyWhatIsKept) {
  // One right of 8 and a block of 2: 1, 2 or 3 right of 10, each with its own choice.
  const PairKeeper keeper({Keep::Worth}, 0.1);
  const BetaBelief belief{2, 8};
  double total = 0, sum = 0;
  for (int x = 0; x <= 2; ++x) {
    const double choose = x == 1 ? 2 : 1;
    const double beta = std::exp(std::lgamma(2.0 + x) + std::lgamma(10.0 - x) - std::lgamma(12.0) -
                                 std::lgamma(2.0) - std::lgamma(8.0) + std::lgamma(10.0));
    total += choose * beta;
    sum += choose * beta * keeper.worth(1 + x, 10);
  }
  EXPECT_NEAR(total, 1, 1e-12);
  EXPECT_NEAR(expected_gain(belief, 1, 8, 2, keeper), sum - keeper.worth(1, 8), 1e-12);
}

struct IndexRow {
  BetaBelief belief;
  std::uint32_t correct, n;
  std::uint32_t size[3];  // best block at charge 0, .1, .15; 0: not named in the table
  double index[3];
};

// The table of acceptance test 2 (n_max 16, length 1).
TEST(BestBlock, IndexOfTheTable) {
  const std::vector<IndexRow> rows = {
      {{1, 3}, 0, 2, {2, 2, 2}, {.162500, .082500, .042500}},
      {{2, 2}, 1, 2, {12, 12, 12}, {.192857, .095102, .051826}},
      {{1.0 / 3, 7.0 / 3}, 0, 2, {2, 2, 2}, {.082386, .041477, .021023}},
      {{1, 9}, 0, 8, {2, 8, 8}, {.088182, .013599, .003047}},
      {{2, 8}, 1, 8, {2, 2, 2}, {.147045, .079773, .030909}},
      {{5, 5}, 4, 8, {8, 8, 8}, {.224432, .124432, .074432}}};
  const double charges[3] = {0, .1, .15};
  for (const IndexRow& row : rows)
    for (int i = 0; i < 3; ++i) {
      const BlockChoice best =
          best_block(row.belief, row.correct, row.n, 16 - row.n, all_kept(charges[i]));
      EXPECT_NEAR(best.per_rollout(), row.index[i], 1e-6)
          << row.correct << " of " << row.n << " at " << charges[i];
      EXPECT_EQ(best.size, row.size[i]) << row.correct << " of " << row.n << " at " << charges[i];
    }
  const double first[3] = {.083333, .050000, .033333};  // belief (1, 1), first blocks of two
  for (int i = 0; i < 3; ++i)
    EXPECT_NEAR(expected_gain({1, 1}, 0, 0, 2, all_kept(charges[i])) / 2, first[i], 1e-6);
}

TEST(BestBlock, StaysWithinTheRoom) {
  EXPECT_EQ(best_block({2, 2}, 1, 2, 7, all_kept(0)).size, 6u);
  EXPECT_EQ(best_block({2, 2}, 1, 2, 1, all_kept(0)).size, 0u);
  EXPECT_EQ(best_block({2, 2}, 1, 2, 0, all_kept(0)).per_rollout(), 0);
}

TEST(GroupWorth, OneSidedAndExpensiveGroupsAreWorthNothing) {
  EXPECT_EQ(group_worth(group_evidence(0, 8), 8, 0), 0);
  EXPECT_EQ(group_worth(group_evidence(8, 8), 8, 0), 0);
  EXPECT_EQ(group_worth(group_evidence(1, 8), 8, .2), 0);
  EXPECT_DOUBLE_EQ(group_worth(group_evidence(4, 8), 8, .1), 1.2);
  EXPECT_EQ(group_evidence(0, 0), 0);
}

TEST(FirstBlocks, PriorOfTheTable) {
  FirstBlocks blocks;
  for (int i = 0; i < 40; ++i) blocks.add(0, 2), blocks.add(2, 2);
  for (int i = 0; i < 20; ++i) blocks.add(1, 2);
  const BetaBelief prior = blocks.prior();
  EXPECT_NEAR(prior.a, 1.0 / 3, 1e-12);
  EXPECT_NEAR(prior.b, 1.0 / 3, 1e-12);
}

TEST(FirstBlocks, StaysFiniteAndFlatBeforeEnough) {
  FirstBlocks dead;
  for (int i = 0; i < 31; ++i) dead.add(0, 2);
  EXPECT_EQ(dead.prior().a, 1);
  EXPECT_EQ(dead.prior().b, 1);
  dead.add(0, 2);
  dead.add(0, 1);  // says nothing of pairs: not counted
  EXPECT_EQ(dead.count(), 32);
  const double strength = dead.prior().a + dead.prior().b;
  EXPECT_GE(strength, 0.5);
  EXPECT_LE(strength, 20);
  EXPECT_NEAR(dead.prior().mean(), 0.02, 1e-12);
}

TEST(FirstBlocks, RecoversTheDistributionTheyWereDrawnFrom) {
  FirstBlocks blocks;
  RandomStream random({8, RandomUse::Test});
  for (int i = 0; i < 100000; ++i) {
    const double p = random.beta(0.6, 1.8);
    blocks.add((random.uniform() < p) + (random.uniform() < p), 2);
  }
  EXPECT_NEAR(blocks.prior().a, 0.6, 0.03);
  EXPECT_NEAR(blocks.prior().b, 1.8, 0.08);
}

// Acceptance test 5: rollouts asked for because of earlier ones do not bias the posterior.
TEST(Posterior, IsCalibratedUnderTheStoppingRule) {
  const BetaBelief prior{0.7, 1.4};
  constexpr double kPrice = 0.05;
  constexpr int kBins = 10;
  double n[kBins] = {}, difference[kBins] = {}, squares[kBins] = {};
  RandomStream random({5, RandomUse::Test});
  for (int prompt = 0; prompt < 100000; ++prompt) {
    const double p = random.beta(prior.a, prior.b);
    std::uint32_t m = 0, total = 0, block = 2;
    for (int round = 0; round < 3 && block > 0; ++round) {
      for (std::uint32_t i = 0; i < block; ++i) m += random.uniform() < p;
      total += block;
      const BetaBelief belief{prior.a + m, prior.b + (total - m)};
      const BlockChoice next = best_block(belief, m, total, 16 - total, all_kept(3 * kPrice));
      block = next.per_rollout() > kPrice ? next.size : 0;
    }
    const double mean = (prior.a + m) / (prior.a + prior.b + total);
    const int bin = static_cast<int>(mean * kBins);
    n[bin] += 1;
    difference[bin] += p - mean;
    squares[bin] += (p - mean) * (p - mean);
  }
  for (int bin = 0; bin < kBins; ++bin) {
    if (n[bin] < 100) continue;
    EXPECT_LT(std::abs(difference[bin] / n[bin]), 3 * std::sqrt(squares[bin]) / n[bin]) << bin;
  }
}

TEST(Gini, OfEqualAndOfOneSidedCounts) {
  EXPECT_EQ(gini({}), 0);
  EXPECT_NEAR(gini({{4, 10}}), 0, 1e-12);
  EXPECT_NEAR(gini({{0, 9}, {5, 1}}), 0.9, 1e-12);
  EXPECT_NEAR(gini({{1, 1}, {2, 1}, {3, 1}}), 2.0 / 9, 1e-12);  // mean difference 8/9 over 2 * 2
}

}  // namespace
}  // namespace allot
