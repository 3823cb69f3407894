// What a column prior_pass_rate does to the methods that keep beliefs of pass rates: a prompt that
// is said to be always right is passed over before its first rollout, and outcomes correct the
// data. That state with such rates continues identically is tested in contract_test.cc.
#include <cmath>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "allot/methods/testing/script.h"

namespace allot {
namespace {

using testing::budget_of;
using testing::controller_of;
using testing::prompts_of;
using testing::Settings;
using testing::verdicts;

const std::string kStrength = "alloc.prior_strength";

std::vector<PromptRef> stated(const std::map<PromptId, std::optional<float>>& rates) {
  std::vector<PromptRef> shown;
  for (const auto& [id, rate] : rates) shown.push_back({.id = id, .prior_pass_rate = rate});
  return shown;
}

std::vector<PromptRef> half_right(PromptId count) {
  std::map<PromptId, std::optional<float>> rates;
  for (PromptId id = 0; id < count; ++id)
    rates[id] = id % 2 == 0 ? std::optional(1.f) : std::nullopt;
  return stated(rates);
}

// Ends the step with `right` of the rollouts of every prompt correct.
void finish(Controller& controller, const Plan& plan, std::uint32_t right) {
  std::vector<Outcome> outcomes;
  for (const Issued& issued : plan.generate) {
    std::vector<Outcome> all = verdicts(right, issued.n - right);
    for (std::uint32_t i = 0; i < issued.n; ++i) {
      all[i].id = issued.first + i, all[i].prompt = issued.prompt, all[i].seq = i;
      outcomes.push_back(all[i]);
    }
  }
  controller.observe(outcomes, {}, false);
  controller.finalize();
  controller.feedback({controller.step()});
}

double metric(const Controller& controller, const std::string& name) {
  for (const Metric& metric : controller.metrics())
    if (metric.name == name) return metric.value;
  ADD_FAILURE() << "no metric " << name;
  return NAN;
}

class Choosers : public ::testing::TestWithParam<const char*> {};

// Of 32 prompts of which half are said to be always right, the first ones asked are the others.
TEST_P(Choosers, PassOverWhatIsSaidToBeAlwaysRight) {
  const auto asked = [](const std::vector<PromptRef>& shown) {
    Controller controller = controller_of(GetParam(), {{kStrength, "1000"}});
    const Plan plan = controller.plan(shown, budget_of(8, 64), 0);
    std::size_t said_right = 0;
    for (const PromptId id : prompts_of(plan)) said_right += id % 2 == 0;
    EXPECT_FALSE(plan.generate.empty());
    return said_right;
  };
  std::map<PromptId, std::optional<float>> silent;
  for (PromptId id = 0; id < 32; ++id) silent[id] = std::nullopt;
  EXPECT_EQ(asked(half_right(32)), 0u);
  EXPECT_GT(asked(stated(silent)), 0u);
}

INSTANTIATE_TEST_SUITE_P(Methods, Choosers,
                         ::testing::Values("mopps", "evidence", "cero", "mopps+aero"));

// Beta(6, 2) of a rate .75 for 8 rollouts; (6 + 5, 2 + 3) after five of eight are right.
TEST(PriorPassRate, TheBeliefOfMopps) {
  const auto means = [](const Settings& settings, float rate) {
    Controller controller = controller_of("mopps", settings);
    std::vector<double> out;
    for (int visit = 0; visit < 3; ++visit) {
      const Plan plan = controller.plan(stated({{1, rate}}), budget_of(1, 8), 0);
      out.push_back(metric(controller, "alloc/mopps/selected_posterior_mean"));
      finish(controller, plan, visit == 0 ? 5 : 0);
    }
    return out;
  };
  const std::vector<double> plain = means({{kStrength, "8"}}, .75f);
  EXPECT_DOUBLE_EQ(plain[0], 6. / 8);
  EXPECT_DOUBLE_EQ(plain[1], 11. / 16);
  EXPECT_DOUBLE_EQ(plain[2], 11. / 24);
  // What fades, fades towards the stated prior: (6 + .5 * 5, 2 + .5 * 3 + 8).
  const std::vector<double> fading = means({{kStrength, "8"}, {"alloc.mopps.decay", "0.5"}}, .75f);
  EXPECT_DOUBLE_EQ(fading[2], 8.5 / 20);
  // As strong as Beta(2, 6), the method's own.
  const Settings own = {{"alloc.mopps.prior_a", "2"}, {"alloc.mopps.prior_b", "6"}};
  EXPECT_DOUBLE_EQ(means(own, .75f)[1], 11. / 16);
}

// Beta(3, 1) fades towards itself and takes in two of eight: Beta(3 + 2, 1 + 6).
TEST(PriorPassRate, TheBeliefOfCero) {
  Controller controller = controller_of("cero", {{kStrength, "4"}, {"alloc.cero.keep", "0.5"}});
  const auto shown = stated({{1, .75f}});
  finish(controller, controller.plan(shown, budget_of(1, 8), 0), 2);
  controller.plan(shown, budget_of(1, 8), 0);
  controller.finalize();
  EXPECT_NEAR(metric(controller, "alloc/cero/selected_p_mean"), 5. / 12, 1e-12);
}

TEST(PriorPassRate, RolloutsOfReinforceAdaFollowIt) {
  Controller controller = controller_of(
      "reinforce_ada_est", {{kStrength, "2"}, {"alloc.reinforce_ada_est.eps", "0.000001"}});
  const Plan plan = controller.plan(stated({{1, .25f}, {2, std::nullopt}}), budget_of(2, 32), 0);
  const double a = 1 / std::sqrt(.25), b = 1 / std::sqrt(.5);
  ASSERT_EQ(plan.generate.size(), 2u);
  EXPECT_EQ(plan.generate[0].n, static_cast<std::uint32_t>(std::lround(32 * a / (a + b))));
  EXPECT_DOUBLE_EQ(metric(controller, "alloc/reinforce_ada_est/rate_mean"), .375);
}

TEST(PriorPassRate, VipGivesTheRolloutsToTheUncertain) {
  Controller controller = controller_of("vip", {{kStrength, "100"}});
  const Plan plan = controller.plan(stated({{1, .5f}, {2, 1.f}}), budget_of(2, 32), 0);
  ASSERT_EQ(plan.generate.size(), 2u);
  EXPECT_GT(plan.generate[0].n, plan.generate[1].n);
}

// The outcomes overrule what the data set says.
TEST(PriorPassRate, OutcomesCorrectAWrongRate) {
  Controller controller = controller_of("mopps", {{kStrength, "4"}});
  const auto shown = stated({{1, 1.f}});
  for (int step = 0; step < 20; ++step)
    finish(controller, controller.plan(shown, budget_of(1, 8), 0), 4);
  controller.plan(shown, budget_of(1, 8), 0);
  EXPECT_NEAR(metric(controller, "alloc/mopps/selected_posterior_mean"), .5, .02);
}

}  // namespace
}  // namespace allot
