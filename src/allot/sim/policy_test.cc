#include "allot/sim/policy.h"

#include <cmath>

#include <gtest/gtest.h>

#include "allot/core/random.h"

namespace allot::sim {
namespace {

Parameters direction(std::uint64_t seed) {
  RandomStream random({seed, RandomUse::Test});
  Parameters d;
  for (double& x : d.theta) x = random.normal();
  for (double& x : d.psi) x = random.normal();
  return d;
}

// The definition, term by term.
double logit(const World& world, const Parameters& at, std::size_t prompt) {
  double sum = -world.traits(prompt).difficulty;
  for (std::size_t k = 0; k < kSkillsPerPrompt; ++k)
    sum += world.traits(prompt).strength[k] * at.theta[world.traits(prompt).skill[k]];
  for (std::size_t d = 0; d < kIdiosyncratic; ++d)
    sum += double{world.idiosyncratic(prompt)[d]} * at.psi[d] -
           world.options().drift / 2 * at.psi[d] * at.psi[d];
  return sum;
}

TEST(Policy, PassRateIsTheDefinition) {
  const World world({}, 1);
  Policy policy(world);
  Parameters at;
  for (int i = 0; i < 3; ++i) {
    policy.update(0.1, direction(i));
    at.add(0.1, direction(i));
    for (std::size_t prompt = 0; prompt < world.size(); prompt += 97)
      EXPECT_NEAR(policy.pass_rate(prompt), sigmoid(logit(world, at, prompt)), 1e-12);
  }
  EXPECT_EQ(policy.version(), 3u);
}

TEST(Policy, AccuracyIsTheMeanOfTheHeldOutPrompts) {
  const World world({.train = 10, .held_out = 4}, 1);
  const Policy policy(world);
  double sum = 0;
  for (std::size_t i = 10; i < 14; ++i) sum += sigmoid(-world.traits(i).difficulty);
  EXPECT_NEAR(policy.held_out_accuracy(), sum / 4, 1e-14);
}

TEST(Policy, GradientIsTheSlopeAtTheStartAndLeavesTheDamageOut) {
  const World world({}, 2);
  const Parameters d = direction(9);
  for (const std::size_t prompt : {0u, 5u, 2999u}) {
    Parameters gradient;
    add_gradient(gradient, 2, world, prompt);
    double slope = 0;
    for (std::size_t k = 0; k < kSkills; ++k) slope += gradient.theta[k] * d.theta[k];
    for (std::size_t i = 0; i < kIdiosyncratic; ++i) slope += gradient.psi[i] * d.psi[i];
    constexpr double kStep = 1e-6;
    Parameters forth, back;
    forth.add(kStep, d);
    back.add(-kStep, d);
    const double numeric = (logit(world, forth, prompt) - logit(world, back, prompt)) / (2 * kStep);
    EXPECT_NEAR(slope, 2 * numeric, 1e-7);
  }
}

TEST(Policy, DriftDamagesEveryPrompt) {
  const World world({}, 2);
  Policy policy(world);
  Parameters d;
  d.psi[0] = 10;
  policy.update(1, d);
  EXPECT_LT(policy.held_out_accuracy(), .3);  // 10 logits lost; |c . psi| is far less for most
}

}  // namespace
}  // namespace allot::sim
