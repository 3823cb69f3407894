#include "allot/methods/parts/rate_regression.h"

#include <cmath>

#include <gtest/gtest.h>

#include "allot/core/error.h"
#include "allot/core/random.h"
#include "allot/core/state.h"

namespace allot {
namespace {

struct Observation {
  std::vector<float> x;
  double right = 0, n = 0;
  int age = 0;  // fits since it was added
};

// Rates .5 + .3 x0 - .1 x1 for x in the square [-.7, .7]^2, each with its own deviation: P is
// Beta(mu s, (1 - mu) s) by way of two gamma draws for an even total 2 s.
std::vector<Observation> observations(std::uint64_t seed, int count, int strength, int n) {
  RandomStream random({seed, RandomUse::Test, 77});
  const auto gamma = [&](double shape) {  // sum of exponentials and the rest by rejection-free mix
    double sum = 0;
    for (; shape >= 1; --shape) sum -= std::log(random.uniform());
    if (shape > 0) {  // Gamma(a) = Gamma(a + 1) U^(1/a); Gamma(1 + a) by Ahrens and Dieter
      for (;;) {
        const double b = 1 + shape / std::exp(1.0), p = b * random.uniform();
        const double x = p <= 1 ? std::pow(p, 1 / shape) : -std::log((b - p) / shape);
        const double keep = p <= 1 ? std::exp(-x) : std::pow(x, shape - 1);
        if (random.uniform() <= keep) return sum + x;
      }
    }
    return sum;
  };
  std::vector<Observation> all;
  for (int i = 0; i < count; ++i) {
    const double x0 = 1.4 * random.uniform() - .7, x1 = 1.4 * random.uniform() - .7;
    const double mu = .5 + .3 * x0 - .1 * x1;
    const double a = gamma(mu * strength), b = gamma((1 - mu) * strength), p = a / (a + b);
    Observation o{{static_cast<float>(x0), static_cast<float>(x1)}, 0, static_cast<double>(n)};
    for (int k = 0; k < n; ++k) o.right += random.uniform() < p;
    all.push_back(o);
  }
  return all;
}

double predicted(const RateRegression& r, float x0, float x1) {
  const float x[] = {x0, x1};
  return r.prior(x)->mean();
}

// Three fits with fading: the weights, read from predictions, make the gradient of the objective 0.
TEST(RateRegression, MinimisesTheFadingSquaredError) {
  const double kept = .7, ridge = 3;
  RateRegression r;
  std::vector<Observation> all;
  for (std::uint64_t step = 0; step < 3; ++step) {
    for (Observation& o : all) ++o.age;
    for (const Observation& o : observations(step, 400, 4, 2)) {
      r.add(o.x, o.right, o.n);
      all.push_back(o);
    }
    r.fit(kept, ridge);
  }
  const double w0 = predicted(r, 0, 0), w1 = predicted(r, 1, 0) - w0, w2 = predicted(r, 0, 1) - w0;
  double g0 = 0, g1 = -ridge * w1, g2 = -ridge * w2;
  for (const Observation& o : all) {
    const double error = o.right / o.n - w0 - w1 * o.x[0] - w2 * o.x[1];
    const double weight = std::pow(kept, o.age) * error;
    g0 += weight, g1 += weight * o.x[0], g2 += weight * o.x[1];
  }
  EXPECT_NEAR(g0, 0, 1e-9);
  EXPECT_NEAR(g1, 0, 1e-9);
  EXPECT_NEAR(g2, 0, 1e-9);
  EXPECT_NEAR(w0, .5, .05);
  EXPECT_NEAR(w1, .3, .1);
}

TEST(RateRegression, FindsHowFarRatesLieFromPredictions) {
  for (const int strength : {1, 4}) {
    RateRegression r;
    for (std::uint64_t step = 0; step < 40; ++step) {
      for (const Observation& o : observations(100 + step, 500, strength, 2))
        r.add(o.x, o.right, o.n);
      r.fit(1, 1);
    }
    EXPECT_NEAR(r.strength() / strength, 1, .15) << strength;
    const float x[] = {.5f, 0};
    EXPECT_NEAR(r.prior(x)->mean(), .65, .03);
    EXPECT_DOUBLE_EQ(r.prior(x)->a + r.prior(x)->b, r.strength());
  }
}

TEST(RateRegression, SaysNothingBeforeThereIsEnough) {
  RateRegression r;
  const auto all = observations(5, 255, 2, 2);
  for (const Observation& o : all) r.add(o.x, o.right, o.n);
  r.fit(1, 1);
  EXPECT_FALSE(r.prior(all[0].x).has_value());
  r.add(all[0].x, 1, 2);
  r.fit(1, 1);
  EXPECT_TRUE(r.prior(all[0].x).has_value());
  const float far[] = {100, 0};  // stays inside (0, 1)
  EXPECT_NEAR(std::abs(r.prior(far)->mean() - .5), .48, 1e-12);
}

TEST(RateRegression, RefusesEmbeddingsThatDoNotFit) {
  RateRegression r;
  r.add(std::vector<float>{1, 2}, 1, 2);
  EXPECT_THROW(r.add(std::vector<float>{1}, 1, 2), Error);
  EXPECT_THROW(r.add(std::vector<float>{}, 1, 2), Error);
  EXPECT_THROW(r.add(std::vector<float>{1, NAN}, 1, 2), Error);
  EXPECT_THROW(RateRegression().add(std::vector<float>(1025, 0), 1, 2), Error);
}

struct Saved {
  RateRegression r;
  template <class V>
  void state(V& v) {
    v(r);
  }
};

TEST(RateRegression, ContinuesFromItsState) {
  Saved whole, parts;
  for (std::uint64_t step = 0; step < 4; ++step) {
    for (const Observation& o : observations(step, 300, 2, 2)) {
      whole.r.add(o.x, o.right, o.n);
      parts.r.add(o.x, o.right, o.n);
    }
    whole.r.fit(.9, 1);
    parts.r.fit(.9, 1);
    const std::string blob = save_state("test", 1, parts);
    parts = {};
    load_state("test", 1, blob, parts);
  }
  EXPECT_EQ(predicted(whole.r, .2f, .3f), predicted(parts.r, .2f, .3f));
  EXPECT_EQ(whole.r.strength(), parts.r.strength());
}

}  // namespace
}  // namespace allot
