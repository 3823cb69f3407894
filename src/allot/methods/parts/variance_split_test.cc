// Golden numbers of VIP's allocation (acceptance tests 1 to 6 and 9 of its specification).
#include "allot/methods/parts/variance_split.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include <gtest/gtest.h>

#include "allot/core/random.h"
#include "allot/methods/parts/advantages.h"
#include "allot/methods/testing/split_oracle.h"

namespace allot {
namespace {

using Counts = std::vector<std::uint32_t>;
constexpr VarianceRule kSplitRules[] = {VarianceRule::Rloo, VarianceRule::DrGrpo};

RandomStream split_stream(std::uint64_t seed) {
  return RandomStream({seed, RandomUse::Test, 61, 0, 0});
}

Counts split(VarianceRule rule, const std::vector<double>& rates, PerPrompt bounds,
             std::uint64_t budget) {
  std::vector<std::uint64_t> order(rates.size());
  std::iota(order.begin(), order.end(), 0u);
  return split_budget(
      [&](std::size_t i, std::uint32_t n) {
        return variance_gain(rule, reward_spread(rates[i]), n);
      },
      bounds, budget, order);
}

double objective(VarianceRule rule, const std::vector<double>& rates, const Counts& n) {
  double sum = 0;
  for (std::size_t i = 0; i < n.size(); ++i)
    sum += 4 * rates[i] * (1 - rates[i]) * estimator_variance(rule, n[i]);
  return sum;
}

TEST(VarianceSplit, HeapEqualsTheDynamicProgramme) {
  for (const VarianceRule rule : kSplitRules)
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
      RandomStream random = split_stream(seed);
      std::vector<double> rates(2 + random.below(3));
      for (double& p : rates) p = random.uniform();
      const PerPrompt bounds{3, 9};
      const std::uint64_t budget = 3 * rates.size() + random.below(6 * rates.size() + 1);
      const double best = testing::best_split_value(
          [&](std::size_t i, std::uint32_t n) {
            return -4 * reward_spread(rates[i]) * estimator_variance(rule, n);
          },
          rates.size(), bounds, budget);
      EXPECT_NEAR(objective(rule, rates, split(rule, rates, bounds, budget)), -best, 1e-12);
    }
}

TEST(VarianceSplit, EightPrompts) {
  const std::vector<double> rates = {.02, .05, .1, .3, .5, .7, .9, .98};
  const Counts uniform(8, 8);
  const Counts rloo = split(VarianceRule::Rloo, rates, {3, 32}, 64);
  EXPECT_EQ(rloo, (Counts{4, 6, 8, 11, 12, 11, 8, 4}));
  EXPECT_NEAR(objective(VarianceRule::Rloo, rates, rloo), .4520330, 2e-7);
  EXPECT_NEAR(objective(VarianceRule::Rloo, rates, uniform), .5352571, 2e-7);
  const Counts dr = split(VarianceRule::DrGrpo, rates, {3, 32}, 64);
  EXPECT_EQ(dr, (Counts{3, 5, 8, 12, 13, 12, 8, 3}));
  EXPECT_NEAR(objective(VarianceRule::DrGrpo, rates, dr), .3433337, 2e-7);
  EXPECT_NEAR(objective(VarianceRule::DrGrpo, rates, uniform), .4098063, 2e-7);
  for (const VarianceRule rule : kSplitRules)
    EXPECT_EQ(split(rule, std::vector<double>(8, .3), {3, 32}, 64), uniform);
}

// Dr.GRPO's stationary point lambda = a (n - 2) / n^3 in closed form, with c = a / lambda >= 27.
TEST(VarianceSplit, ClosedRoot) {
  for (const auto& [c, wanted] : std::vector<std::pair<double, double>>{
           {27, 3.000000}, {30, 3.730416}, {100, 8.788851}, {1000, 30.570873}}) {
    const double n = 2 * std::sqrt(c / 3) * std::cos(std::acos(-std::sqrt(27 / c)) / 3);
    EXPECT_NEAR(n, wanted, 5e-7);
    EXPECT_NEAR((n - 2) / (n * n * n) * c, 1, 1e-12);
  }
  // The heap gives neighbours of that root: at the price of its last gain.
  const std::vector<double> rates = {.02, .1, .3, .5};
  const Counts n = split(VarianceRule::DrGrpo, rates, {3, 1000}, 400);
  const double a = .25, lambda = a * (n[3] - 2.) / std::pow(n[3], 3);
  for (std::size_t i = 0; i < rates.size(); ++i) {
    const double c = reward_spread(rates[i]) / lambda;
    EXPECT_NEAR(n[i], 2 * std::sqrt(c / 3) * std::cos(std::acos(-std::sqrt(27 / c)) / 3), 1.5);
  }
}

TEST(VarianceSplit, Symmetries) {
  for (const VarianceRule rule : kSplitRules)
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
      RandomStream random = split_stream(1000 + seed);
      std::vector<double> rates(2 + random.below(20)), turned;
      for (double& p : rates) p = random.below(3) == 0 ? .25 : random.uniform();
      rates[0] = 0, rates[1] = 1;
      for (const double p : rates) turned.push_back(1 - p);
      const std::uint64_t budget = 3 * rates.size() + random.below(29 * rates.size() + 1);
      const Counts n = split(rule, rates, {3, 32}, budget),
                   m = split(rule, turned, {3, 32}, budget);
      EXPECT_EQ(std::accumulate(n.begin(), n.end(), std::uint64_t{0}), budget);
      for (std::size_t i = 0; i < n.size(); ++i) {
        EXPECT_NEAR(n[i], m[i], 1);  // rounding of 1 - p may move a tie
        for (std::size_t j = 0; j < n.size(); ++j) {
          if (reward_spread(rates[i]) > reward_spread(rates[j])) {
            EXPECT_GE(n[i], n[j]);
          }
          if (rates[i] == rates[j]) {
            EXPECT_LE(n[i], n[j] + 1);
          }
        }
      }
    }
}

using RateDraw = std::function<double(RandomStream&)>;

// Mean over 40 draws of 512 prompts of the variance with the split of `seen` over the uniform one.
double ratio(VarianceRule rule, const RateDraw& draw, std::uint32_t n,
             const std::function<double(double, RandomStream&)>& seen) {
  double sum = 0;
  for (std::uint64_t k = 0; k < 40; ++k) {
    RandomStream random = split_stream(2000 + k);
    std::vector<double> truth(512), believed;
    for (double& p : truth) p = draw(random);
    for (const double p : truth) believed.push_back(seen(p, random));
    const Counts counts = split(rule, believed, {3, 32}, 512 * n);
    sum += objective(rule, truth, counts) / objective(rule, truth, Counts(512, n));
  }
  return sum / 40;
}

double known(double p, RandomStream&) { return p; }

TEST(VarianceSplit, RatioToUniformWithTrueRates) {
  struct Row {
    RateDraw draw;
    double rloo8, dr8, rloo16, dr16;
  };
  const auto beta = [](double a, double b) {
    return [a, b](RandomStream& r) { return r.beta(a, b); };
  };
  const std::vector<Row> rows = {
      {[](RandomStream& r) { return r.uniform(); }, .926, .926, .923, .923},
      {beta(.5, .5), .820, .832, .812, .814},
      {beta(.2, .2), .598, .632, .580, .598},
      {beta(.2, .8), .629, .663, .607, .622},
      {[](RandomStream& r) {
         const double u = r.uniform();
         return u < .4 ? 0 : u < .6 ? 1 : r.uniform();
       },
       .443, .506, .484, .517}};
  for (const Row& row : rows) {
    EXPECT_NEAR(ratio(VarianceRule::Rloo, row.draw, 8, known), row.rloo8, .01);
    EXPECT_NEAR(ratio(VarianceRule::DrGrpo, row.draw, 8, known), row.dr8, .01);
    EXPECT_NEAR(ratio(VarianceRule::Rloo, row.draw, 16, known), row.rloo16, .01);
    EXPECT_NEAR(ratio(VarianceRule::DrGrpo, row.draw, 16, known), row.dr16, .01);
  }
}

TEST(VarianceSplit, RatioToUniformWithRatesOfEightEarlierRollouts) {
  const RateDraw beta = [](RandomStream& r) { return r.beta(.2, .2); };
  const RateDraw uniform = [](RandomStream& r) { return r.uniform(); };
  struct Row {
    double clip, beta, uniform;
  };
  for (const Row& row : std::vector<Row>{
           {1e-6, 1.01, 1.12}, {.02, .780, 1.02}, {.05, .799, .983}, {.1, .861, .973}}) {
    const auto seen = [&](double p, RandomStream& random) {
      double right = 0;
      for (int i = 0; i < 8; ++i) right += random.uniform() < p;
      return std::clamp(right / 8, row.clip, 1 - row.clip);
    };
    EXPECT_NEAR(ratio(VarianceRule::Rloo, beta, 8, seen), row.beta, .02) << row.clip;
    EXPECT_NEAR(ratio(VarianceRule::Rloo, uniform, 8, seen), row.uniform, .02) << row.clip;
  }
}

// Exact variance of (1/n) sum A s without the assumption of independence: r in {0, 1}, scores s
// with E[s] = 0, E[r s] = g, Var(s | r) = v1 and v0.
struct Scores {
  double n, p, g, v1, v0;
};

double exact_rloo(const Scores& x) {
  const double p = x.p, q = 1 - p, n = x.n;
  return p * q / (n * (n - 1)) * (x.v1 * ((n - 2) * q + 1) + x.v0 * ((n - 2) * p + 1)) +
         x.g * x.g / n * (1 / (p * q) - (4 * n - 6) / (n - 1));
}

double exact_dr_grpo(const Scores& x) { return std::pow((x.n - 1) / x.n, 2) * exact_rloo(x); }

double exact_grpo(const Scores& x) {  // population standard deviation
  const double q = 1 - x.p;
  double inside = 0, mean = 0, square = 0;
  for (int m = 1; m < x.n; ++m) {
    const double chance =
        std::exp(std::lgamma(x.n + 1) - std::lgamma(m + 1.) - std::lgamma(x.n - m + 1)) *
        std::pow(x.p, m) * std::pow(q, x.n - m);
    const double h = std::sqrt(m * (x.n - m)) / x.n;
    inside += chance * ((x.n - m) * x.v1 + m * x.v0) / (x.n * x.n);
    mean += chance * h, square += chance * h * h;
  }
  return inside + std::pow(x.g / (x.p * q), 2) * (square - mean * mean);
}

TEST(VarianceSplit, VarianceOfTheEstimatorsByMonteCarlo) {
  struct Row {
    Scores x;
    double rloo, dr_grpo, grpo;
  };
  const AdvantageRule rules[] = {
      {AdvantageEstimator::LeaveOneOut, AdvantageScale::None, 0, 0, 1e-6},
      {AdvantageEstimator::GroupRelative, AdvantageScale::None, 0, 0, 1e-6},
      {AdvantageEstimator::GroupRelative, AdvantageScale::Group, 0, 0, 1e-6}};
  for (const Row& row : std::vector<Row>{{{4, .5, 0, 1, 1}, .083333, .046875, .218750},
                                         {{8, .3, .1, 1, 1}, .031310, .023971, .120930},
                                         {{8, .1, .05, 2, .7}, .024683, .018898, .136893}}) {
    const Scores& x = row.x;
    EXPECT_NEAR(exact_rloo(x), row.rloo, 5e-7);
    EXPECT_NEAR(exact_dr_grpo(x), row.dr_grpo, 5e-7);
    EXPECT_NEAR(exact_grpo(x), row.grpo, 5e-7);
    // The advantages that are really used, with Gaussian scores.
    RandomStream random = split_stream(3000);
    double sum[3] = {}, squares[3] = {};
    constexpr int kTrials = 100000;
    const auto n = static_cast<std::size_t>(x.n);
    for (int trial = 0; trial < kTrials; ++trial) {
      std::vector<double> r(n), s(n);
      for (std::size_t i = 0; i < n; ++i) {
        r[i] = random.uniform() < x.p;
        const double mean = r[i] > 0 ? x.g / x.p : -x.g / (1 - x.p);
        s[i] = mean + std::sqrt(r[i] > 0 ? x.v1 : x.v0) * random.normal();
      }
      for (int k = 0; k < 3; ++k) {
        const Ragged<double> advantages = group_advantages({r}, rules[k]);
        const auto a = advantages[0];
        double estimate = 0;
        for (std::size_t i = 0; i < n; ++i) estimate += a[i] * s[i] / x.n;
        sum[k] += estimate, squares[k] += estimate * estimate;
      }
    }
    const double wanted[] = {row.rloo, row.dr_grpo, row.grpo};
    for (int k = 0; k < 3; ++k) {
      const double mean = sum[k] / kTrials;
      EXPECT_NEAR((squares[k] / kTrials - mean * mean) / wanted[k], 1, .02);
    }
  }
}

}  // namespace
}  // namespace allot
