#include "allot/sim/learner.h"

#include <cmath>

#include <gtest/gtest.h>

#include "allot/core/random.h"

namespace allot::sim {
namespace {

struct Shipped {
  TrainBatch batch;
  RolloutStore store;
};

// Two groups, of prompts 3 and 8, with 2 and 4 rollouts of alternating verdicts.
Shipped two_groups(Norm norm) {
  Shipped out;
  out.batch.norm = norm;
  out.batch.fixed = 5;
  RolloutId id = 1;
  for (const auto& [prompt, n] : {std::pair{3, 2}, {8, 4}}) {
    out.batch.groups.push_back({static_cast<PromptId>(prompt),
                                static_cast<std::uint32_t>(out.batch.items.size()),
                                static_cast<std::uint32_t>(n)});
    for (int i = 0; i < n; ++i, ++id) {
      Rollout rollout;
      rollout.id = id;
      rollout.prompt = static_cast<PromptId>(prompt);
      rollout.unkept_tokens = 100 * static_cast<std::uint32_t>(n);
      Score score;
      score.correct = i % 2 == 0;
      out.store.add(std::move(rollout), score, 0);
      out.batch.items.push_back({id, i % 2 == 0 ? 1.0f : -0.5f, 2});
    }
  }
  return out;
}

TEST(ItemCoefficients, FollowTheNormaliser) {
  const auto c = [](Norm norm) { return item_coefficients(two_groups(norm).batch); };
  EXPECT_DOUBLE_EQ(c(Norm::PerRollout)[0], 2.0 / 6);
  EXPECT_DOUBLE_EQ(c(Norm::PerToken)[1], -1.0 / 6);
  EXPECT_DOUBLE_EQ(c(Norm::PerGroup)[0], 2.0 / (2 * 2));
  EXPECT_DOUBLE_EQ(c(Norm::PerGroup)[2], 2.0 / (2 * 4));
  EXPECT_DOUBLE_EQ(c(Norm::Fixed)[5], -1.0 / 5);
}

TEST(SimLearner, GradientIsThatOfTheDefinitionWithoutNoise) {
  const World world({.noise = 0}, 1);
  Policy policy(world);
  Shipped shipped = two_groups(Norm::PerGroup);
  Parameters expected;
  double signal = 0, noise = 0;
  const std::vector<double> c = item_coefficients(shipped.batch);
  for (std::size_t i = 0; i < c.size(); ++i) {
    const std::size_t prompt = i < 2 ? 3 : 8;
    const double score = (i % 2 == 0) - policy.pass_rate(prompt);
    add_gradient(expected, c[i] * score, world, prompt);
    signal += c[i] * score;
    noise += c[i] * c[i];
  }
  SimLearner learner(policy, {.lr = 0.1, .optimizer = Optimizer::Sgd}, 7);
  const Feedback feedback = learner.update(shipped.batch, shipped.store);
  EXPECT_TRUE(feedback.updated);
  EXPECT_EQ(feedback.items.size(), 6u);
  EXPECT_EQ(feedback.after, 1u);
  EXPECT_NEAR(learner.signal(), signal, 1e-12);
  EXPECT_NEAR(learner.noise(), noise, 1e-12);
  EXPECT_EQ(learner.cost().trained, 2 * 200u + 4 * 400u);
  for (std::size_t k = 0; k < kSkills; ++k)
    EXPECT_NEAR(policy.parameters().theta[k], 0.1 * expected.theta[k], 1e-12);
  for (std::size_t d = 0; d < kIdiosyncratic; ++d)
    EXPECT_NEAR(policy.parameters().psi[d], 0.1 * expected.psi[d], 1e-12);
}

TEST(SimLearner, NoiseHasTheSquaredLengthOfItsRollouts) {
  const World quiet({.noise = 0}, 1), loud({.noise = 200}, 1);
  double sum = 0;
  constexpr int kDraws = 400;
  double q = 0;
  for (std::uint64_t seed = 0; seed < kDraws; ++seed) {
    Policy a(quiet), b(loud);
    Shipped shipped = two_groups(Norm::PerRollout);
    SimLearner without(a, {.lr = 0}, seed), with(b, {.lr = 0}, seed);
    without.update(shipped.batch, shipped.store);
    with.update(shipped.batch, shipped.store);
    Parameters xi = with.gradient();
    xi.add(-1, without.gradient());
    sum += xi.squared_length();
    q = with.noise();
  }
  EXPECT_NEAR(sum / kDraws / (200 * q), 1, .04);  // 80 degrees of freedom, 400 draws: sd .008
}

// m and v with bias correction, written out.
TEST(SimLearner, AdamWithOneScalarSecondMoment) {
  const World world({}, 1);
  Policy policy(world);
  SimLearner learner(policy, {.lr = 0.3}, 7);
  Parameters m, theta;
  double v = 0;
  for (int t = 1; t <= 4; ++t) {
    Shipped shipped = two_groups(Norm::PerGroup);
    learner.update(shipped.batch, shipped.store);
    const Parameters& g = learner.gradient();
    Parameters next;
    next.add(0.9, m);
    next.add(0.1, g);
    m = next;
    v = 0.99 * v + 0.01 * g.squared_length();
    theta.add(0.3 / (1 - std::pow(0.9, t)) / std::sqrt(v / (1 - std::pow(0.99, t))), m);
    if (t == 1) {
      EXPECT_NEAR(std::sqrt(policy.parameters().squared_length()), 0.3, 1e-12);
    }
    EXPECT_NEAR(policy.parameters().psi[5], theta.psi[5], 1e-12);
  }
}

TEST(SimLearner, AdvantagesOfZeroChangeNothing) {
  const World world({}, 1);
  Policy policy(world);
  SimLearner learner(policy, {.lr = 0.3}, 7);
  Shipped shipped = two_groups(Norm::PerGroup);
  for (TrainItem& item : shipped.batch.items) item.advantage = 0;
  learner.update(shipped.batch, shipped.store);
  EXPECT_EQ(policy.parameters().squared_length(), 0);
}

// E of the squares: noise 200 per rollout, and directions (a, c) of length sqrt(1 + 9).
TEST(SimLearner, ProbesHalvesOfGroupsWithNoiseOfTheirOwn) {
  const World world({}, 1);
  double inner = 0, square = 0;
  constexpr int kDraws = 4000;
  for (std::uint64_t seed = 0; seed < kDraws; ++seed) {
    Policy policy(world);
    Shipped shipped = two_groups(Norm::PerRollout);
    shipped.batch.probe = {1};
    SimLearner learner(policy, {.lr = 0}, seed);
    const GradientProbe probe = learner.update(shipped.batch, shipped.store).probe;
    ASSERT_EQ(probe.groups.size(), 1u);
    const ProbedGroup& g = probe.groups[0];
    EXPECT_DOUBLE_EQ(g.first_power, 1 + .25);  // advantages 1, -.5, whatever the weight
    EXPECT_NEAR(probe.sum_square, g.first_square + g.second_square + 2 * g.inner, 1e-9);
    EXPECT_EQ(learner.cost().trained, 2 * 200u + 2 * 4 * 400u);
    inner += g.inner / kDraws;
    square += g.first_square / kDraws;
  }
  const double p = Policy(world).pass_rate(8), sum = (1 - p) + .5 * p;
  EXPECT_NEAR(inner, sum * sum * 10, 2);
  EXPECT_NEAR(square, 200 * 1.25 + sum * sum * 10, 3);
}

}  // namespace
}  // namespace allot::sim
