// Effective gradient scale of the registered estimators, by exact enumeration (contract, section
// 9).
//
// A policy with one logit answers right with probability p; the score of a right answer is q = 1 -
// p and of a wrong one -p, so grad p = p q. An entry of the table is the expectation of the
// per-prompt mean over shipped rollouts of advantage * score, divided by p q: 1 means unbiased.
#include <cmath>

#include <gtest/gtest.h>

#include "allot/methods/testing/script.h"

namespace allot {
namespace {

using testing::budget_of;
using testing::controller_of;
using testing::play;
using testing::Played;
using testing::Settings;
using testing::verdicts;

constexpr PromptId kPrompt = 7;
const std::vector<double> kRates = {.03, .0625, .125, .25, .5, .75, .9, .97};

double choose(std::uint32_t n, std::uint32_t k) {
  return std::round(
      std::exp(std::lgamma(n + 1.0) - std::lgamma(k + 1.0) - std::lgamma(n - k + 1.0)));
}

// What the method makes of one outcome sequence: sums of advantages of right and wrong rollouts
// over the number of shipped ones.
struct Push {
  double right = 0, wrong = 0;
};

Push push_of(const std::string& method, const Settings& settings,
             const std::vector<Outcome>& outcomes) {
  Controller controller = controller_of(method, settings);
  const Played p = play(controller, {{kPrompt}, {}, {{kPrompt, outcomes}}}, budget_of(1, 1000));
  Push push;
  const auto kept = p.kept(kPrompt);
  for (std::size_t i = 0; i < kept.size(); ++i) {
    double& side = outcomes[kept[i]].correct ? push.right : push.wrong;
    side += p.batch.items[i].advantage * p.batch.items[i].weight / static_cast<double>(kept.size());
  }
  return push;
}

double scale(const Push& push, double p) {
  return (push.right * (1 - p) - push.wrong * p) / (p * (1 - p));
}

// Methods with n rollouts and no stopping: the count of right ones is binomial.
std::vector<double> fixed_n_row(const std::string& method, Settings settings, std::uint32_t n) {
  settings.emplace_back("alloc.group_size", std::to_string(n));
  std::vector<Push> pushes;
  for (std::uint32_t c = 0; c <= n; ++c)
    pushes.push_back(push_of(method, settings, verdicts(c, n - c)));
  std::vector<double> row;
  for (const double p : kRates) {
    double sum = 0;
    for (std::uint32_t c = 0; c <= n; ++c)
      sum += choose(n, c) * std::pow(p, c) * std::pow(1 - p, n - c) * scale(pushes[c], p);
    row.push_back(sum);
  }
  return row;
}

// AERO, math settings, unlimited pool: eight, then up to ten rescues of two until one is right.
std::vector<double> aero_row(Settings settings) {
  settings.emplace_back("alloc.group_size", "16");
  struct Case {
    double ways;
    std::uint32_t right, wrong;
    Push push;
  };
  std::vector<Case> cases;
  const auto add = [&](double ways, const std::vector<Outcome>& outcomes, std::uint32_t right) {
    const auto n = static_cast<std::uint32_t>(outcomes.size());
    cases.push_back({ways, right, n - right, push_of("aero", settings, outcomes)});
  };
  for (std::uint32_t c = 1; c <= 8; ++c) add(choose(8, c), verdicts(c, 8 - c), c);
  for (std::uint32_t failed = 8; failed <= 26; failed += 2)
    for (std::uint32_t c = 1; c <= 2; ++c) {
      std::vector<Outcome> outcomes = verdicts(0, failed);
      for (const Outcome& outcome : verdicts(c, 2 - c)) outcomes.push_back(outcome);
      add(choose(2, c), outcomes, c);
    }
  add(1, verdicts(0, 28), 0);
  std::vector<double> row;
  for (const double p : kRates) {
    double sum = 0, mass = 0;
    for (const Case& c : cases) {
      const double chance = c.ways * std::pow(p, c.right) * std::pow(1 - p, c.wrong);
      mass += chance;
      sum += chance * scale(c.push, p);
    }
    EXPECT_NEAR(mass, 1, 1e-12);  // the cases are all there are
    row.push_back(sum);
  }
  return row;
}

void expect_row(const std::vector<double>& got, const std::vector<double>& wanted,
                double tolerance) {
  ASSERT_EQ(got.size(), wanted.size());
  for (std::size_t i = 0; i < got.size(); ++i)
    EXPECT_NEAR(got[i], wanted[i], tolerance) << "p = " << kRates[i];
}

TEST(ScaleTable, LeaveOneOutIsUnbiasedForEverySize) {
  for (const std::uint32_t n : {2u, 3u, 8u, 16u})
    expect_row(fixed_n_row("grpo", {{"adv.estimator", "leave_one_out"}}, n),
               std::vector<double>(kRates.size(), 1), 1e-6);
}

TEST(ScaleTable, MeanBaselineShrinksByOneRollout) {
  expect_row(fixed_n_row("grpo", {{"adv.scale", "none"}}, 8),
             std::vector<double>(kRates.size(), .875), 1e-6);
}

TEST(ScaleTable, GrpoWithSampleDeviation) {
  expect_row(fixed_n_row("grpo", {{"adv.eps", "0"}}, 8),
             {2.37, 2.28, 2.12, 1.90, 1.74, 1.90, 2.18, 2.37}, .0051);
}

TEST(ScaleTable, GrpoWithPopulationDeviation) {
  expect_row(fixed_n_row("grpo", {{"adv.ddof", "0"}, {"adv.eps", "0"}}, 8),
             {2.54, 2.43, 2.26, 2.03, 1.86, 2.03, 2.33, 2.54}, .0051);
}

TEST(ScaleTable, Aero) {
  expect_row(aero_row({}), {9.94, 7.17, 4.47, 2.66, 1.93, 2.07, 2.49, 2.81}, .0051);
}

TEST(ScaleTable, AeroWithoutOneSidedGroups) {
  expect_row(aero_row({{"alloc.aero.degenerate", "off"}}),
             {9.86, 7.13, 4.46, 2.66, 1.93, 2.03, 2.33, 2.54}, .0051);
}

}  // namespace
}  // namespace allot
