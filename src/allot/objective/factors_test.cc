// G3, G4, G5, G7 and G10, and the single factors against enumeration: divergences, curvature,
// rejection sampling, KL, mismatch weights, adaptive entropy.
#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "allot/core/random.h"
#include "allot/objective/curvature.h"
#include "allot/objective/divergence.h"
#include "allot/objective/entropy.h"
#include "allot/objective/kl.h"
#include "allot/objective/mismatch.h"
#include "allot/objective/obrs.h"
#include "allot/objective/testing/golden.h"

namespace allot::objective {
namespace {

using Distribution = std::vector<double>;

Distribution random_distribution(RandomStream& random, std::size_t n) {
  Distribution out;
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += out.emplace_back(std::exp(1.5 * random.normal()));
  for (double& p : out) p /= sum;
  return out;
}

// The K likeliest ids of mu.
TopK top_of(const Distribution& mu, const Distribution& pi, std::size_t k) {
  TopK top;
  std::vector<std::int64_t> ids(mu.size());
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<std::int64_t>(i);
  std::sort(ids.begin(), ids.end(), [&](auto a, auto b) {
    return mu[static_cast<std::size_t>(a)] > mu[static_cast<std::size_t>(b)];
  });
  for (std::size_t i = 0; i < k; ++i) {
    const auto x = static_cast<std::size_t>(ids[i]);
    top.ids.push_back(ids[i]);
    top.rollout.push_back(std::log(mu[x]));
    top.current.push_back(std::log(pi[x]));
    top.old.push_back(std::log(pi[x]));
  }
  return top;
}

double full_kl(const Distribution& p, const Distribution& q) {
  double sum = 0;
  for (std::size_t i = 0; i < p.size(); ++i) sum += p[i] * std::log(p[i] / q[i]);
  return sum;
}

double full_tv(const Distribution& p, const Distribution& q) {
  double sum = 0;
  for (std::size_t i = 0; i < p.size(); ++i) sum += std::abs(p[i] - q[i]) / 2;
  return sum;
}

const Distribution kMu = {.5, .3, .15, .05}, kPi = {.3, .4, .1, .2};

TEST(Divergences, G5GoldenTokens) {
  const double tv[] = {.06378939, .14813475, .00909377, .10319007, .06106171,
                       .00956001, .06033929, .07266936, .03269189, .32568148};
  const double kl[] = {.00894411, .04600249, .00050972, .02426023, .02219911,
                       .00112852, .00880953, .03079009, .00234524, .22132453};
  std::size_t i = 0;
  for (const LossRow& row : golden_rows(1)) {
    for (std::size_t t = 0; t < row.logprob.size(); ++t, ++i) {
      EXPECT_NEAR(binary_tv(row.logprob[t], row.rollout[t]), tv[i], 1e-8);
      EXPECT_NEAR(binary_kl(row.logprob[t], row.rollout[t]), kl[i], 1e-8);
    }
  }
}

TEST(Divergences, G5TopK) {
  const double expected[4][6] = {{.20, .08717669, .20, .08717669, .20, .08801517},
                                 {.10, .02160085, .20, .08801517, .20, .08801517},
                                 {.05, .01223511, .25, .12758380, .25, .16061324},
                                 {.15, .09394303, .20, .13868586, .25, .16061324}};
  for (std::size_t a = 0; a < 4; ++a) {
    const double pi = std::log(kPi[a]), mu = std::log(kMu[a]);
    EXPECT_NEAR(binary_tv(pi, mu), expected[a][0], 1e-8);
    EXPECT_NEAR(binary_kl(pi, mu), expected[a][1], 1e-8);
    for (std::size_t k = 1; k <= 2; ++k) {
      const TopK top = top_of(kMu, kPi, k);
      const auto id = static_cast<std::int64_t>(a);
      EXPECT_NEAR(top_k_tv(top, id, pi, mu), expected[a][2 * k], 1e-8) << a << ' ' << k;
      EXPECT_NEAR(top_k_kl(top, id, pi, mu), expected[a][2 * k + 1], 1e-8) << a << ' ' << k;
    }
  }
}

// T3: all categories give the full divergence; a finer partition never gives less.
RC_GTEST_PROP(Divergences, T3RefiningNeverLowersAndTheFinestIsExact, ()) {
  RandomStream random({*rc::gen::arbitrary<std::uint64_t>(), RandomUse::Test});
  const Distribution mu = random_distribution(random, 7), pi = random_distribution(random, 7);
  const auto a = static_cast<std::size_t>(random.below(7));
  const double lp = std::log(pi[a]), lm = std::log(mu[a]);
  const auto id = static_cast<std::int64_t>(a);
  double tv = binary_tv(lp, lm), kl = binary_kl(lp, lm);
  for (std::size_t k = 1; k <= 7; ++k) {
    const TopK top = top_of(mu, pi, k);
    const double finer_tv = top_k_tv(top, id, lp, lm), finer_kl = top_k_kl(top, id, lp, lm);
    RC_ASSERT(finer_tv >= tv - 1e-11);
    RC_ASSERT(finer_kl >= kl - 1e-9);
    tv = finer_tv;
    kl = finer_kl;
  }
  RC_ASSERT(std::abs(tv - full_tv(pi, mu)) < 1e-10);
  RC_ASSERT(std::abs(kl - full_kl(mu, pi)) < 1e-9);
}

TEST(Curvature, G4) {
  const double w[4][2] = {{.2, -.1}, {.4, .3}, {-.5, .2}, {.1, .1}}, h[2] = {1, -.5};
  std::vector<double> logits;
  double total = 0;
  for (const auto& row : w) {
    logits.push_back(row[0] * h[0] + row[1] * h[1]);
    total += std::exp(logits.back());
  }
  for (double& l : logits) l -= std::log(total);
  const Curvature c = curvature(logits, 1, h, .8, .1);
  EXPECT_NEAR(c.step, .52370669, 1e-8);
  EXPECT_NEAR(c.hessian, .18790577, 1e-8);
  EXPECT_NEAR(c.m_h, .05331020, 1e-8);
  EXPECT_NEAR(c.m_f, .00214272, 1e-8);
}

// An independent form: the second derivative of A log p_a along u by finite differences.
RC_GTEST_PROP(Curvature, TheHessianTermIsTheSecondDerivativeOfTheSurrogate, ()) {
  RandomStream random({*rc::gen::arbitrary<std::uint64_t>(), RandomUse::Test});
  const std::size_t n = 5, a = static_cast<std::size_t>(random.below(n));
  const double advantage = random.normal(), hidden[2] = {random.normal(), random.normal()};
  const double hh = hidden[0] * hidden[0] + hidden[1] * hidden[1];
  std::vector<double> z(n);
  for (double& x : z) x = random.normal();
  const auto log_softmax = [&](double step, const std::vector<double>& u) {
    std::vector<double> out(n);
    double sum = 0;
    for (std::size_t k = 0; k < n; ++k) sum += std::exp(out[k] = z[k] + step * u[k]);
    for (double& x : out) x -= std::log(sum);
    return out;
  };
  const std::vector<double> lp = log_softmax(0, std::vector<double>(n, 0));
  std::vector<double> u(n);
  for (std::size_t k = 0; k < n; ++k)
    u[k] = advantage * hh * ((k == a ? 1.0 : 0.0) - std::exp(lp[k]));
  // d^2/ds^2 of p_a(s)/p_a(0) A is A [(v.u)^2 - u'(diag p - pp')u].
  const double e = 1e-4 / (1 + hh);
  const auto ratio = [&](double s) { return std::exp(log_softmax(s, u)[a] - lp[a]); };
  const double second = advantage * (ratio(e) - 2 + ratio(-e)) / (e * e);
  const Curvature c =
      curvature(lp, static_cast<std::ptrdiff_t>(a), std::span(hidden), advantage, .1);
  RC_ASSERT(std::abs(second - c.hessian) < 1e-4 * (1 + std::abs(c.hessian)) * (1 + hh));
}

TEST(Obrs, G3) {
  const Distribution old = {.35, .35, .12, .18};
  struct Row {
    double lambda, mass;
    double accept[4], w[4], b[4], kl;
  };
  const Row rows[] = {
      {1, .75, {.6, 1, .666667, 1}, {.75, 1, .75, 3}, {.875, .875, .9, 2.7}, .10464963},
      {.8,
       .85,
       {.75, 1, .833333, 1},
       {.68, 1.133333, .68, 3.4},
       {.793333, .991667, .816, 2.7},
       .14055535}};
  EXPECT_NEAR(full_kl(kPi, kMu), .19853750, 1e-8);
  for (const Row& row : rows) {
    ObrsOptions o;
    o.target = ObrsTarget::Current;
    o.lambda = row.lambda;
    const double mass = obrs_mass(o, top_of(kMu, kPi, 4));
    EXPECT_NEAR(mass, row.mass, 1e-12);
    ObrsOptions unbounded = o;
    unbounded.target = ObrsTarget::Old;
    unbounded.c1 = 1e9;
    Distribution accepted;
    for (std::size_t x = 0; x < 4; ++x) {
      const double p = std::log(kPi[x]), mu = std::log(kMu[x]);
      EXPECT_NEAR(obrs_acceptance(row.lambda, p, mu), row.accept[x], 1e-6);
      EXPECT_NEAR(obrs_weight(o, mass, p, mu, std::log(old[x]), p), row.b[x], 1e-6);
      const double a = obrs_acceptance(row.lambda, p, mu),
                   w = obrs_weight(unbounded, mass, p, mu, p, p);
      EXPECT_NEAR(w, row.w[x], 1e-6);
      EXPECT_NEAR(a * w - mass * kPi[x] / kMu[x], 0, 1e-12);
      accepted.push_back(kMu[x] * a / mass);
    }
    EXPECT_NEAR(full_kl(kPi, accepted), row.kl, 1e-8);
  }
}

// T8: sum mu a w f = Z sum p f; what is accepted is nearer to p than mu is; a small lambda accepts
// everything.
RC_GTEST_PROP(Obrs, T8Identities, ()) {
  RandomStream random({*rc::gen::arbitrary<std::uint64_t>(), RandomUse::Test});
  const Distribution mu = random_distribution(random, 6), p = random_distribution(random, 6);
  ObrsOptions o;
  o.c1 = 1e9;
  o.lambda = 0.2 + 2 * random.uniform();
  const double mass = obrs_mass(o, top_of(mu, p, 6));
  double left = 0, right = 0;
  Distribution accepted;
  for (std::size_t x = 0; x < 6; ++x) {
    const double f = random.normal(), lp = std::log(p[x]), lm = std::log(mu[x]);
    const double a = obrs_acceptance(o.lambda, lp, lm);
    left += mu[x] * a * obrs_weight(o, mass, lp, lm, lp, lp) * f;
    right += mass * p[x] * f;
    accepted.push_back(mu[x] * a / mass);
    RC_ASSERT(obrs_acceptance(1e-6, lp, lm) == 1);
  }
  RC_ASSERT(std::abs(left - right) < 1e-12);
  RC_ASSERT(full_kl(p, accepted) <= full_kl(p, mu) + 1e-12);
}

KlOptions kl_options(KlEstimator estimator, bool through, bool weighted) {
  KlOptions o;
  o.estimator = estimator;
  o.straight_through = through ? Switch::On : Switch::Off;
  o.importance_weighted = weighted ? Switch::On : Switch::Off;
  return o;
}

// T7: expected gradient by the logits, by enumeration: sum_x q(x) c(x) (e_x - p).
std::vector<double> expected_gradient(const KlOptions& o, const Distribution& pi,
                                      const Distribution& ref, const Distribution& data) {
  std::vector<double> out(pi.size(), 0);
  for (std::size_t x = 0; x < pi.size(); ++x) {
    const double c = kl_term(o, std::log(pi[x] / ref[x]), pi[x] / data[x]).coefficient;
    for (std::size_t j = 0; j < pi.size(); ++j) out[j] += data[x] * c * ((x == j ? 1 : 0) - pi[j]);
  }
  return out;
}

TEST(Kl, G7T7ExactExpectations) {
  const std::vector<double> reverse = {-.212809, .035658, -.060400, .237551};
  const std::vector<double> forward = {-.2, .1, -.05, .15}, tv = {-.36, .32, -.12, .16};
  const auto expect = [](const std::vector<double>& found, const std::vector<double>& wanted) {
    for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(found[i], wanted[i], 1e-6);
  };
  const auto on_policy = [&](KlEstimator e, bool through) {
    return expected_gradient(kl_options(e, through, false), kPi, kMu, kPi);
  };
  expect(on_policy(KlEstimator::K1, false), {0, 0, 0, 0});
  expect(on_policy(KlEstimator::K2, false), reverse);
  expect(on_policy(KlEstimator::K3, false), forward);
  expect(on_policy(KlEstimator::Abs, false), tv);
  expect(on_policy(KlEstimator::K3, true), reverse);
  const Distribution uniform = {.25, .25, .25, .25};
  expect(expected_gradient(kl_options(KlEstimator::K3, false, true), kPi, kMu, uniform), reverse);
  double value[4] = {};
  for (std::size_t x = 0; x < 4; ++x) {
    const double d = std::log(kPi[x] / kMu[x]);
    int i = 0;
    for (const KlEstimator e :
         {KlEstimator::K1, KlEstimator::K2, KlEstimator::K3, KlEstimator::Abs})
      value[i++] += kPi[x] * kl_term(kl_options(e, false, false), d, 1).value;
  }
  EXPECT_NEAR(value[0], .19853750, 1e-8);
  EXPECT_NEAR(value[1], .25609492, 1e-8);
  EXPECT_NEAR(value[2], .19853750, 1e-8);
  EXPECT_NEAR(value[3], .58612590, 1e-8);
  EXPECT_NEAR(full_kl(kMu, kPi), .16061324, 1e-8);
  EXPECT_NEAR(full_tv(kMu, kPi), .25, 1e-8);
}

TEST(Kl, BeyondTheClampTheValueStaysFiniteAndFlat) {
  const KlTerm far = kl_term(kl_options(KlEstimator::K3, false, false), -500, 1);
  EXPECT_TRUE(std::isfinite(far.value));
  EXPECT_EQ(far.coefficient, 0);
}

// The statistics of old against rollout, told by the bound at which a token is let go.
TEST(Mismatch, G6StatisticsOfTokensAndSequences) {
  const double k2[] = {.000200, .005000, .000050, .000050, .020000,
                       0,       .011250, .080000, .000200, .001250};
  const double k3[] = {.000199, .005171, .000050, .000050, .018731,
                       0,       .011834, .091825, .000199, .001271};
  const double k3_means[] = {.001806, .009390, .025964, .001271};
  const std::vector<LossRow> rows = golden_rows(1);
  std::size_t i = 0;
  for (std::size_t s = 0; s < rows.size(); ++s) {
    std::vector<double> rho;
    for (std::size_t t = 0; t < rows[s].old.size(); ++t)
      rho.push_back(rows[s].old[t] - rows[s].rollout[t]);
    const std::vector<double> all(rho.size(), 1);
    const auto kept = [&](RejectionStat stat, RejectionReduce reduce, double max, std::size_t t) {
      RejectionOptions o;
      o.stat = stat;
      o.reduce = reduce;
      o.min = 0;
      o.max = max;
      return rejection_mask(o, Compat::None, rho, all)[t] == 1;
    };
    const auto expect = [&](RejectionStat stat, RejectionReduce reduce, double value,
                            std::size_t t) {
      EXPECT_TRUE(kept(stat, reduce, value + 6e-7, t)) << s << ' ' << t;
      if (value > 0) {
        EXPECT_FALSE(kept(stat, reduce, value - 6e-7, t)) << s << ' ' << t;
      }
    };
    expect(RejectionStat::K3, RejectionReduce::SeqMean, k3_means[s], 0);
    for (std::size_t t = 0; t < rho.size(); ++t, ++i) {
      expect(RejectionStat::K2, RejectionReduce::Token, k2[i], t);
      expect(RejectionStat::K3, RejectionReduce::Token, k3[i], t);
    }
  }
}

TEST(Mismatch, NormalFormsByHand) {
  const double log_rho[] = {std::log(4.0), std::log(.25), std::log(.5)}, all[] = {1, 1, 1};
  MismatchOptions o;
  o.weight = MismatchWeight::Truncate;
  o.level = MismatchLevel::Token;
  o.min = 0;
  o.max = 2;
  EXPECT_EQ(mismatch_weights(o, log_rho, all), (std::vector<double>{2, .25, .5}));
  o.min = .3;
  EXPECT_EQ(mismatch_weights(o, log_rho, all), (std::vector<double>{2, .3, .5}));
  o.weight = MismatchWeight::Mask;
  EXPECT_EQ(mismatch_weights(o, log_rho, all), (std::vector<double>{0, 0, .5}));
  o.level = MismatchLevel::Sequence;  // the product is .5
  EXPECT_NEAR(mismatch_weights(o, log_rho, all)[0], .5, 1e-12);
  const double first_only[] = {1, 0, 0};
  EXPECT_EQ(mismatch_weights(o, log_rho, first_only), (std::vector<double>{0, 0, 0}));
}

TEST(Entropy, TheAdaptiveCoefficientFollowsTheTarget) {
  LossOptions o;
  o.entropy.adaptive = true;
  EntropyCoefficient c(o);
  c.after_step(.1);
  EXPECT_NEAR(c.value(), .005, 1e-15);
  EXPECT_EQ(c.acting(.3), 0);
  EXPECT_NEAR(c.acting(.2), .005, 1e-15);
  c.after_step(.3);
  c.after_step(.3);
  EXPECT_EQ(c.value(), 0);
}

}  // namespace
}  // namespace allot::objective
