#include "allot/methods/parts/mlp.h"

#include <cmath>

#include <gtest/gtest.h>

#include "allot/core/error.h"
#include "allot/core/state.h"

namespace allot {
namespace {

RandomStream mlp_stream(std::uint64_t seed) {
  return RandomStream({seed, RandomUse::Test, 31, 0, 0});
}

FitData data_of(std::uint64_t seed, std::size_t rows, std::uint32_t width) {
  RandomStream random = mlp_stream(seed);
  FitData data{width, {}, {}};
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::uint32_t k = 0; k < width; ++k) data.inputs.push_back(random.normal());
    data.targets.push_back(random.normal());
  }
  return data;
}

// Two inputs, two hidden, one output, by hand.
TEST(Mlp, ForwardByHand) {
  Mlp mlp;
  mlp.init({2, 2, 1}, mlp_stream(1));
  mlp.parameters() = {1, -1, .5, 2, .25, -.5, 3, -2, .125};  // W1 [2][2], b1, W2 [2][1], b2
  const auto gelu = [](double x) { return x * .5 * (1 + std::erf(x / std::sqrt(2.0))); };
  const double h1 = gelu(.7 * 1 + -.4 * .5 + .25), h2 = gelu(.7 * -1 + -.4 * 2 - .5);
  const double x[] = {.7, -.4};
  EXPECT_NEAR(mlp.forward(x)[0], 3 * h1 - 2 * h2 + .125, 1e-14);
  const Mlp linear = [] {
    Mlp m;
    m.init({3, 1}, mlp_stream(1));
    m.parameters() = {1, 2, 3, .5};
    return m;
  }();
  const double y[] = {1, -1, 2};
  EXPECT_DOUBLE_EQ(linear.forward(y)[0], 1 - 2 + 6 + .5);
}

// More rows than one block of the computation holds.
TEST(Mlp, ForwardOfManyRowsIsThatOfEach) {
  Mlp mlp;
  mlp.init({4, 6, 1}, mlp_stream(2));
  const FitData data = data_of(3, 600, 4);
  const std::vector<double> all = mlp.forward(data.inputs);
  ASSERT_EQ(all.size(), 600u);
  for (std::size_t i = 0; i < all.size(); ++i)
    EXPECT_NEAR(all[i], mlp.forward(data.row(i))[0], 1e-12) << i;
}

// The gradient against central differences, all parameters of a network with two hidden layers.
TEST(Mlp, GradientIsTheSlopeOfTheLoss) {
  Mlp mlp;
  mlp.init({4, 6, 5, 1}, mlp_stream(2));
  const FitData data = data_of(3, 7, 4);
  std::vector<double> gradient;
  mlp.loss(data, &gradient);
  ASSERT_EQ(gradient.size(), 5u * 6 + 7 * 5 + 6);
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    const double h = 1e-5, kept = mlp.parameters()[i];
    mlp.parameters()[i] = kept + h;
    const double above = mlp.loss(data);
    mlp.parameters()[i] = kept - h;
    const double below = mlp.loss(data);
    mlp.parameters()[i] = kept;
    EXPECT_NEAR(gradient[i], (above - below) / (2 * h), 1e-8) << i;
  }
}

// A linear model of one input: three steps of AdamW in scalars.
TEST(Mlp, AdamWByHand) {
  Mlp mlp;
  mlp.init({1, 1}, mlp_stream(4));
  mlp.parameters() = {.5, -.25};
  const FitData data{1, {1, 2}, {1, 0}};
  const AdamWRule rule{.learning_rate = .1, .weight_decay = .05};
  double w = .5, b = -.25, mw = 0, mb = 0, vw = 0, vb = 0;
  for (int t = 1; t <= 3; ++t) {
    const double e1 = w + b - 1, e2 = 2 * w + b;
    const double gw = e1 + 2 * e2, gb = e1 + e2;  // of (e1^2 + e2^2) / 2
    EXPECT_NEAR(mlp.fit(data, rule), (e1 * e1 + e2 * e2) / 2, 1e-14);
    mw = .9 * mw + .1 * gw, mb = .9 * mb + .1 * gb;
    vw = .999 * vw + .001 * gw * gw, vb = .999 * vb + .001 * gb * gb;
    const double c1 = 1 - std::pow(.9, t), c2 = 1 - std::pow(.999, t);
    w -= .1 * (mw / c1 / (std::sqrt(vw / c2) + 1e-8) + .05 * w);
    b -= .1 * (mb / c1 / (std::sqrt(vb / c2) + 1e-8) + .05 * b);
    EXPECT_NEAR(mlp.parameters()[0], w, 1e-12);
    EXPECT_NEAR(mlp.parameters()[1], b, 1e-12);
  }
}

TEST(Mlp, LearnsAFunction) {
  Mlp mlp;
  mlp.init({2, 16, 16, 1}, mlp_stream(5));
  FitData data = data_of(6, 64, 2);
  for (std::size_t i = 0; i < 64; ++i) data.targets[i] = data.row(i)[0] * data.row(i)[1];
  const double before = mlp.loss(data);
  for (int i = 0; i < 2000; ++i) mlp.fit(data, {.learning_rate = .01});
  EXPECT_LT(mlp.loss(data), before / 50);
}

TEST(Mlp, NoRowsChangeNothing) {
  Mlp mlp;
  mlp.init({2, 3, 1}, mlp_stream(7));
  const auto before = mlp.parameters();
  EXPECT_EQ(mlp.fit({2, {}, {}}, {}), 0);
  EXPECT_EQ(mlp.parameters(), before);
}

TEST(Mlp, SavesItselfAndRefusesWeightsThatDoNotFit) {
  Mlp mlp, other;
  mlp.init({2, 3, 1}, mlp_stream(8));
  const FitData data = data_of(9, 5, 2);
  mlp.fit(data, {});
  load_state("mlp", 1, save_state("mlp", 1, mlp), other);
  mlp.fit(data, {});
  other.fit(data, {});
  EXPECT_EQ(mlp.parameters(), other.parameters());
  mlp.parameters().pop_back();
  EXPECT_THROW(load_state("mlp", 1, save_state("mlp", 1, mlp), other), Error);
}

}  // namespace
}  // namespace allot
