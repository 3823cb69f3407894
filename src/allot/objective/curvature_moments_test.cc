// The model of Adam against dense matrices, which the code never forms.
#include "allot/objective/curvature_moments.h"

#include <array>
#include <cmath>

#include <gtest/gtest.h>

#include "allot/core/random.h"
#include "allot/core/state.h"
#include "allot/objective/curvature.h"

namespace allot::objective {
namespace {

constexpr std::size_t kIds = 6, kTop = 3, kHidden = 4;
using HeadMatrix = std::array<std::array<double, kHidden>, kIds>;

// Moments of the whole head, as torch.optim.Adam would keep them.
struct DenseAdam {
  HeadMatrix m{}, v{};
  int steps = 0;

  // Direction for the gradient `g`; the moments of rows that `touched` names move where `keep`.
  HeadMatrix direction(const HeadMatrix& g, const std::array<bool, kIds>& touched, bool keep) {
    HeadMatrix next_m = m, next_v = v, out{};
    for (std::size_t k = 0; k < kIds; ++k) {
      for (std::size_t j = 0; touched[k] && j < kHidden; ++j) {
        next_m[k][j] = .9 * m[k][j] + .1 * g[k][j];
        next_v[k][j] = .999 * v[k][j] + .001 * g[k][j] * g[k][j];
        out[k][j] = next_m[k][j] / (1 - std::pow(.9, steps + 1)) /
                    (std::sqrt(next_v[k][j] / (1 - std::pow(.999, steps + 1))) + 1e-8);
      }
    }
    if (keep) m = next_m, v = next_v, ++steps;
    return out;
  }
};

LossRow random_row(RandomStream& random, std::size_t tokens) {
  LossRow row;
  row.advantage = random.normal();
  for (std::size_t t = 0; t < tokens; ++t) {
    TopK top;
    std::vector<std::int64_t> ids = {0, 1, 2, 3, 4, 5};
    for (std::size_t k = 0; k < kTop; ++k)
      std::swap(ids[k], ids[k + static_cast<std::size_t>(random.below(kIds - k))]);
    top.ids.assign(ids.begin(), ids.begin() + kTop);
    for (std::size_t k = 0; k < kTop; ++k) top.current.push_back(-1 - random.uniform());
    row.top.push_back(top);
    row.logprob.push_back(top.current[0]);
    row.token_ids.push_back(static_cast<std::int64_t>(random.below(kIds)));  // may be outside
    std::vector<double> hidden;
    for (std::size_t j = 0; j < kHidden; ++j) hidden.push_back(random.normal());
    row.hidden.push_back(hidden);
  }
  return row;
}

struct DenseToken {
  HeadMatrix g{};  // A v h'
  std::array<double, kIds> p{}, v{};
  std::array<bool, kIds> touched{};
};

DenseToken dense(const LossRow& row, std::size_t t) {
  DenseToken out;
  double total = 0;
  for (const double l : row.top[t].current) total += std::exp(l);
  for (std::size_t k = 0; k < kTop; ++k) {
    const auto id = static_cast<std::size_t>(row.top[t].ids[k]);
    out.p[id] = std::exp(row.top[t].current[k]) / total;
    out.v[id] = (row.token_ids[t] == row.top[t].ids[k] ? 1 : 0) - out.p[id];
    out.touched[id] = true;
    for (std::size_t j = 0; j < kHidden; ++j)
      out.g[id][j] = row.advantage * out.v[id] * row.hidden[t][j];
  }
  return out;
}

std::ptrdiff_t action_of(const LossRow& row, std::size_t t) {
  for (std::size_t k = 0; k < kTop; ++k)
    if (row.top[t].ids[k] == row.token_ids[t]) return static_cast<std::ptrdiff_t>(k);
  return -1;
}

// Three steps: every token's terms by the whole matrices, then the moments move by the mean.
TEST(CurvatureMoments, AreThoseOfAdamOnTheWholeHead) {
  RandomStream random({7, RandomUse::Test});
  DenseAdam adam;
  CurvatureMoments moments;
  constexpr double kLr = .1;
  for (int step = 0; step < 3; ++step) {
    const LossRow row = random_row(random, 9);
    HeadGradient gradient;
    HeadMatrix sum{};
    std::array<double, kIds> count{};
    std::array<bool, kIds> touched{};
    for (std::size_t t = 0; t < row.logprob.size(); ++t) {
      const DenseToken token = dense(row, t);
      const HeadMatrix direction = adam.direction(token.g, token.touched, false);
      double step_term = 0, v_u = 0, p_uu = 0, p_u = 0;
      for (std::size_t k = 0; k < kIds; ++k) {
        double u = 0;
        for (std::size_t j = 0; j < kHidden; ++j) {
          step_term += token.g[k][j] * direction[k][j];
          u += direction[k][j] * row.hidden[t][j];
          sum[k][j] += token.g[k][j];
        }
        v_u += token.v[k] * u;
        p_u += token.p[k] * u;
        p_uu += token.p[k] * u * u;
        count[k] += token.touched[k] ? 1 : 0;
        touched[k] = touched[k] || token.touched[k];
      }
      const double hessian = row.advantage * (v_u * v_u - (p_uu - p_u * p_u));
      const Curvature c = curvature(row.top[t].current, action_of(row, t), row.hidden[t],
                                    row.advantage, kLr, row.top[t].ids, moments);
      EXPECT_NEAR(c.step, step_term, 2e-5);  // moments are kept in float
      EXPECT_NEAR(c.hessian, hessian, 2e-4);
      EXPECT_NEAR(c.m_h, kLr * step_term + kLr * kLr * hessian / 2, 1e-5);
      EXPECT_NEAR(c.m_f, kLr * kLr * v_u * v_u / 2, 1e-5);
      add_head_gradient(row, t, gradient);
    }
    for (std::size_t k = 0; k < kIds; ++k)
      for (double& g : sum[k]) g /= std::max(1.0, count[k]);
    adam.direction(sum, touched, true);
    moments.advance(gradient);
  }
  EXPECT_EQ(moments.steps(), 3u);
}

// Before any moment, Adam's direction is the sign of the gradient: u_k = sign(A v_k) |h|_1.
TEST(CurvatureMoments, TheFirstStepHasTheLengthOfTheLearningRate) {
  const double hidden[] = {1, -.5}, logprob[] = {std::log(.25), std::log(.75)};
  const std::int64_t ids[] = {3, 8};
  const Curvature c = curvature(logprob, 0, hidden, -2, .1, ids, CurvatureMoments());
  // v = (.75, -.75), u = (-1.5, 1.5), v.u = -2.25, <g, G> = A v.u = 4.5.
  EXPECT_NEAR(c.step, 4.5, 1e-6);
  // p_uu - p_u^2 = 2.25 - (-.375 + 1.125)^2 = 1.6875; q = -2 (5.0625 - 1.6875).
  EXPECT_NEAR(c.hessian, -6.75, 1e-6);
  EXPECT_NEAR(c.m_f, .01 * 5.0625 / 2, 1e-8);
}

TEST(CurvatureMoments, DecideTogetherWithTheOptimizerOfTheOptions) {
  RandomStream random({8, RandomUse::Test});
  const LossRow row = random_row(random, 1);
  CurvatureOptions options;
  options.lr = .1;
  options.delta_h = 1e9;
  const auto least_bound = [&](CurvatureOptimizer optimizer, const CurvatureMoments* moments) {
    options.optimizer = optimizer;
    double low = 0, high = 1e6;  // m_f, by bisection of the bound that keeps the token
    for (int i = 0; i < 100; ++i) {
      options.delta_f = (low + high) / 2;
      (keeps_curvature(options, row, 0, 0, moments) ? high : low) = options.delta_f;
    }
    return high;
  };
  CurvatureMoments moments;
  HeadGradient gradient;
  add_head_gradient(row, 0, gradient);
  const double sgd = least_bound(CurvatureOptimizer::Sgd, &moments);
  const double first = least_bound(CurvatureOptimizer::Adam, &moments);
  EXPECT_NE(sgd, first);
  EXPECT_EQ(first, least_bound(CurvatureOptimizer::Adam, nullptr));
  for (int i = 0; i < 2; ++i) moments.advance(gradient);
  // The same gradient again: Adam's direction stays the sign.
  EXPECT_NEAR(least_bound(CurvatureOptimizer::Adam, &moments), first, 1e-5 * first);
  EXPECT_EQ(least_bound(CurvatureOptimizer::Sgd, &moments), sgd);
}

TEST(CurvatureMoments, AreKeptBitForBit) {
  RandomStream random({9, RandomUse::Test});
  const LossRow row = random_row(random, 5);
  CurvatureMoments moments, loaded;
  HeadGradient gradient;
  for (std::size_t t = 0; t < 5; ++t) add_head_gradient(row, t, gradient);
  moments.advance(gradient);
  const std::string blob = save_state("curvature moments", 1, moments);
  load_state("curvature moments", 1, blob, loaded);
  EXPECT_EQ(save_state("curvature moments", 1, loaded), blob);
  EXPECT_EQ(loaded.along(2, .3, row.hidden[0]), moments.along(2, .3, row.hidden[0]));
}

}  // namespace
}  // namespace allot::objective
