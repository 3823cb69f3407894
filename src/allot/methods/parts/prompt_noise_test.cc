// The estimate against worlds whose prompt noise is known: gradients drawn from the definition.
#include "allot/methods/parts/prompt_noise.h"

#include <array>
#include <cmath>

#include <gtest/gtest.h>

#include "allot/core/random.h"

namespace allot {
namespace {

constexpr int kSize = 48;
using Vector = std::array<double, kSize>;

double dot(const Vector& a, const Vector& b) {
  double sum = 0;
  for (int i = 0; i < kSize; ++i) sum += a[i] * b[i];
  return sum;
}

struct World {
  double common = 0, own = 0, noise = 1;  // powers: |h|^2, |d_i|^2, sigma^2
  double reward = 1;                      // rewards are 0 and this
};

struct Drawn {
  GradientProbe probe;
  std::vector<PromptNoise::RateError> errors;
};

// `groups` groups of 2, 3, .. rollouts of prompts whose pass rates are uniform, those with two
// rewards.
Drawn draw(const World& world, int groups, RandomStream& random) {
  const auto normal = [&](Vector& to, double power) {
    for (double& x : to) x += std::sqrt(power / kSize) * random.normal();
  };
  RandomStream fixed({3, RandomUse::Test});
  Vector common{};
  for (double& x : common) x = std::sqrt(world.common / kSize) * (fixed.uniform() < .5 ? 1 : -1);
  Drawn out;
  Vector total{};
  while (out.errors.size() < static_cast<std::size_t>(groups)) {
    const auto n = 2 + static_cast<std::uint32_t>(out.errors.size() % 7);
    const double p = random.uniform();
    std::vector<double> rewards(n);
    double right = 0;
    for (double& r : rewards) right += r = random.uniform() < p ? 1 : 0;
    if (right == 0 || right == n) continue;
    Vector direction = common;
    normal(direction, world.own);
    std::vector<TrainItem> items;
    Vector half[2] = {};
    double sum[2] = {}, power[2] = {};
    for (std::uint32_t i = 0; i < n; ++i) {
      const int h = i < n / 2 ? 0 : 1;
      const double a = (rewards[i] - right / n) * world.reward;
      items.push_back({i, static_cast<float>(a)});
      sum[h] += a;
      power[h] += a * a;
      Vector score{};
      normal(score, world.noise);
      for (int k = 0; k < kSize; ++k)
        half[h][k] += a * (score[k] + (rewards[i] - p) * direction[k]);
    }
    out.errors.push_back(PromptNoise::rate_error(items, BetaBelief(1 + right, 1 + n - right)));
    out.probe.groups.push_back({sum[0], sum[1], power[0], power[1], dot(half[0], half[0]),
                                dot(half[1], half[1]), dot(half[0], half[1])});
    for (int k = 0; k < kSize; ++k) total[k] += half[0][k] + half[1][k];
  }
  out.probe.sum_square = dot(total, total);
  return out;
}

void add(PromptNoise& noise, const Drawn& drawn, double range_scale = 1) {
  noise.add(drawn.probe, drawn.errors, range_scale);
}

double measured(const World& world, int steps, int groups, double range_scale = 1) {
  RandomStream random({11, RandomUse::Test});
  double sum = 0;
  constexpr int kRuns = 40;  // the sums of one run hold 128 groups
  for (int run = 0; run < kRuns; ++run) {
    PromptNoise noise;
    for (int i = 0; i < steps; ++i) add(noise, draw(world, groups, random), range_scale);
    sum += noise.value(0) * (noise.groups() + 4) / noise.groups();  // without the first guess
  }
  return sum / kRuns;
}

TEST(PromptNoise, FindsTheNoiseOfTheWorld) {
  EXPECT_NEAR(measured({.common = .2, .own = 2}, 8, 16), 2, .1);
  EXPECT_NEAR(measured({.common = .2, .own = .5}, 8, 16), .5, .06);
  EXPECT_NEAR(measured({.common = 1, .own = 2, .noise = 4}, 8, 16), .5, .06);
}

// Prompts that all point alike have none; nothing below 0 comes out of chance.
TEST(PromptNoise, OfPromptsThatPointAlikeIsSmall) {
  EXPECT_LT(measured({.common = .5, .own = 0}, 8, 16), .15);
  EXPECT_GE(measured({.common = .5, .own = 0}, 8, 16), 0);
}

TEST(PromptNoise, DoesNotDependOnTheScaleOfRewards) {
  const World world{.common = .2, .own = 2};
  World scaled = world;
  scaled.reward = 10;
  EXPECT_NEAR(measured(world, 4, 16), measured(scaled, 4, 16, .01), 1e-6);
}

TEST(PromptNoise, StartsAtTheFirstGuessAndFollowsTheWorld) {
  PromptNoise noise;
  EXPECT_EQ(noise.value(.5), .5);
  noise.add({}, {}, 1);
  EXPECT_EQ(noise.value(.5), .5);
  RandomStream random({12, RandomUse::Test});
  for (int i = 0; i < 20; ++i) add(noise, draw({.own = 4}, 16, random));
  EXPECT_NEAR(noise.groups(), PromptNoise::kMemory, 1e-9);
  EXPECT_NEAR(noise.value(.5), 4, .8);
  for (int i = 0; i < 40; ++i) add(noise, draw({.own = .25}, 16, random));
  EXPECT_NEAR(noise.value(.5), .25, .12);
}

// A batch of groups of 8.
TrainBatch batch_of(std::uint32_t groups) {
  TrainBatch batch;
  for (std::uint32_t i = 0; i < groups; ++i) batch.groups.push_back({i, 8 * i, 8});
  batch.items.resize(8 * std::size_t{groups});
  return batch;
}

TEST(PromptNoise, ProbesManyGroupsAtFirstAndFewLater) {
  PromptNoise noise;
  EXPECT_EQ(noise.choose(batch_of(0)).size(), 0u);
  EXPECT_EQ(noise.choose(batch_of(3)), (std::vector<std::uint32_t>{0, 1, 2}));
  EXPECT_EQ(noise.choose(batch_of(64)).size(), 16u);
  RandomStream random({13, RandomUse::Test});
  for (int i = 0; i < 4; ++i) add(noise, draw({.own = 1}, 16, random));
  double probed = 19, steps_with_probes = 0;
  constexpr int kSteps = 400;
  for (int i = 0; i < kSteps; ++i) {
    const auto places = noise.choose(batch_of(20));
    if (!places.empty()) {
      EXPECT_EQ(places, (std::vector<std::uint32_t>{0, 10}));
    }
    probed += static_cast<double>(places.size());
    steps_with_probes += !places.empty();
  }
  EXPECT_GT(steps_with_probes, 40);
  EXPECT_LE(probed / (20 * kSteps), PromptNoise::kShare + .001);
}

// Gradients that are all 0 (a model at a dead end) leave the guess.
TEST(PromptNoise, SurvivesGradientsOfZero) {
  PromptNoise noise;
  GradientProbe probe;
  probe.groups = {{.5, -.5, .25, .25}, {.5, -.5, .25, .25}};
  noise.add(probe, std::vector<PromptNoise::RateError>(2), 1);
  EXPECT_EQ(noise.value(.5), .5);
}

}  // namespace
}  // namespace allot
