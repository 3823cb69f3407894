// CERO's reference run and contract (acceptance tests of its specification; published constants,
// static Bernoulli prompts).
#include <cmath>
#include <functional>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "allot/core/error.h"
#include "allot/core/random.h"
#include "allot/methods/testing/script.h"

namespace allot {
namespace {

using testing::alloc_options;
using testing::budget_of;
using testing::controller_of;
using testing::play;
using testing::Played;
using testing::Settings;
using testing::verdicts;

struct RunSettings {
  std::uint32_t prompts = 8958, rounds = 500;
  std::uint64_t units = 64000;  // of 4 rollouts
  double a = .3, b = .3;        // pass rates are Beta(a, b)
  Settings settings;
  std::set<std::uint32_t> reload_after;  // rounds
};

struct Trace {
  std::vector<std::map<std::string, double>> metrics;        // of every round
  std::vector<std::vector<std::pair<PromptId, int>>> asked;  // requests of every round
  std::map<PromptId, double> units;                          // executed
  int updates = 0, first_skip = 0, last_executed = 0;
  double spent = 0;  // units
};

// A whole run through the method itself. Outcomes depend on (prompt, round, place) alone.
Trace run(const RunSettings& s) {
  const AllocOptions alloc = alloc_options("cero", s.settings);
  const auto fresh = [&] { return make_method(alloc, {}); };
  std::unique_ptr<Method> method = fresh();
  std::vector<PromptRef> pool;
  std::vector<double> rates;
  for (PromptId id = 0; id < s.prompts; ++id) {
    pool.push_back({id});
    rates.push_back(RandomStream({5, RandomUse::Test, 1, id, 0}).beta(s.a, s.b));
  }
  Trace out;
  RolloutId next = 1;
  for (std::uint32_t k = 1; k <= s.rounds; ++k) {
    BatchView view{.step = k - 1, .seed = 11, .candidates = pool};
    view.budget = budget_of(64, 512);
    view.budget.run_rollouts = 4 * (s.units - static_cast<std::uint64_t>(out.spent));
    view.budget.run_steps = s.rounds - view.step;
    const Decision decision = method->plan(view);
    std::vector<Outcome> outcomes;
    out.asked.emplace_back();
    double units = 0;
    for (const GenRequest& request : decision.generate) {
      RandomStream random({6, RandomUse::Test, k, request.prompt, 0});
      for (std::uint32_t i = 0; i < request.n; ++i) {
        Outcome outcome{.id = next++, .prompt = request.prompt, .seq = i};
        outcome.correct = random.uniform() < rates[request.prompt];
        outcome.reward = outcome.correct;
        outcomes.push_back(outcome);
      }
      out.asked.back().emplace_back(request.prompt, request.n);
      out.units[request.prompt] += request.n / 4.;
      units += request.n / 4.;
    }
    EXPECT_LE(units, 132);
    out.spent += units;
    EXPECT_LE(out.spent, static_cast<double>(s.units));
    if (s.reload_after.count(k)) {  // in the middle of the round, and after it below
      std::unique_ptr<Method> other = fresh();
      other->load(method->save(), 0);
      method = std::move(other);
    }
    EXPECT_EQ(decision.done, outcomes.empty());
    if (!outcomes.empty()) {
      EXPECT_TRUE(method->observe({.outcomes = outcomes}).done);
    }
    method->finalize();
    if (s.reload_after.count(k)) {
      std::unique_ptr<Method> other = fresh();
      other->load(method->save(), 0);
      EXPECT_EQ(other->save(), method->save());
      method = std::move(other);
    }
    if (units > 0) ++out.updates, out.last_executed = static_cast<int>(k);
    if (units == 0 && out.first_skip == 0) out.first_skip = static_cast<int>(k);
    out.metrics.emplace_back();
    for (const Metric& metric : method->metrics()) out.metrics.back()[metric.name] = metric.value;
  }
  return out;
}

// Shares of the pool with exactly 3, 4 and 5 visits of two units.
std::vector<double> visit_shares(const Trace& r, std::uint32_t prompts) {
  std::vector<double> shares(3);
  for (const auto& [prompt, units] : r.units)
    for (int i = 0; i < 3; ++i) shares[i] += std::ceil(units / 2) == 3 + i;
  for (double& share : shares) share /= prompts;
  return shares;
}

struct Mix {
  double a, b;
  std::vector<double> shares;  // of 3, 4 and 5 visits
};

class CeroReferenceRun : public ::testing::TestWithParam<Mix> {};

TEST_P(CeroReferenceRun, ReproducesTheMechanism) {
  const Mix mix = GetParam();
  const Trace r = run({.a = mix.a, .b = mix.b});
  // Surplus over uniform spending: peak 1,920 responses at round 120, back to 0 at the end.
  std::size_t peak = 0;
  for (std::size_t k = 0; k < r.metrics.size(); ++k)
    if (r.metrics[k].at("surplus_vs_uniform") > r.metrics[peak].at("surplus_vs_uniform")) peak = k;
  EXPECT_EQ(peak + 1, 120u);
  EXPECT_EQ(r.metrics[peak].at("surplus_vs_uniform"), 1920);
  EXPECT_EQ(r.metrics.back().at("surplus_vs_uniform"), 0);
  EXPECT_EQ(r.first_skip, 121);
  // Paper: 488, 486 and 487 updates.
  EXPECT_GE(r.updates, 486);
  EXPECT_LE(r.updates, 488);
  EXPECT_EQ(r.spent, 64000);
  EXPECT_GE(r.last_executed, 499);
  // Exposure levels .84, 1.12 and 1.40 of the equal share, nothing else but one residual group.
  const std::vector<double> shares = visit_shares(r, 8958);
  EXPECT_NEAR(shares[0] + shares[1] + shares[2], 1, 1e-12);
  for (int i = 0; i < 3; ++i) EXPECT_NEAR(shares[i], mix.shares[i], .025) << 3 + i << " visits";
  const double share = 64000 / 8958.;
  EXPECT_NEAR(6 / share, .84, .005);
  EXPECT_NEAR(8 / share, 1.12, .005);
  EXPECT_NEAR(10 / share, 1.40, .005);
  EXPECT_NEAR(r.metrics.back().at("exposure_q10"), .84, .005);
  EXPECT_NEAR(r.metrics.back().at("visits_hist/3"), shares[0], 1e-12);
  EXPECT_EQ(r.metrics.front().at("tied_share") > .99, true);
  EXPECT_LT(r.metrics.back().at("tied_share"), .01);
}

INSTANTIATE_TEST_SUITE_P(Mixes, CeroReferenceRun,
                         ::testing::Values(Mix{.3, .3, {.62, .18, .20}},
                                           Mix{.3, .9, {.62, .19, .19}},
                                           Mix{1, 1, {.45, .52, .03}}));

TEST(Cero, PublishedRunNeedsNoCatchUp) {
  const Trace plain = run({}), with = run({.settings = {{"alloc.cero.catch_up", "true"}}});
  EXPECT_TRUE(plain.asked == with.asked);
}

TEST(Cero, CatchUpSpendsTheRestOfSmallPools) {
  RunSettings small{.prompts = 500, .rounds = 200, .units = 25600};
  const double left = 25600 - run(small).spent;
  EXPECT_GE(left, 550);
  EXPECT_LE(left, 600);
  small.settings = {{"alloc.cero.catch_up", "true"}};
  EXPECT_EQ(run(small).spent, 25600);
}

TEST(Cero, ReloadChangesNothing) {
  const Trace whole = run({}), reloaded = run({.reload_after = {1, 120, 121, 400}});
  EXPECT_TRUE(whole.asked == reloaded.asked);
  EXPECT_TRUE(whole.metrics == reloaded.metrics);
}

TEST(Cero, TinyConstants) {
  run({.prompts = 50, .rounds = 1, .units = 40});
  const Trace flat =
      run({.prompts = 50, .rounds = 5, .units = 640, .settings = {{"alloc.cero.lambda", "0"}}});
  for (const auto& metrics : flat.metrics) EXPECT_TRUE(std::isfinite(metrics.at("vartheta_mean")));
  run({.prompts = 0, .rounds = 3, .units = 40});
}

// Default settings, without any budget of the run: what steps of the usual size would spend.
TEST(Cero, RunOfKnownLengthSpendsWhatUniformStepsWould) {
  Controller controller = controller_of("cero");
  std::vector<PromptRef> pool;
  for (PromptId id = 1; id <= 40; ++id) pool.push_back({id});
  Budget budget = budget_of(4, 32);
  budget.run_steps = 30;
  std::uint64_t spent = 0;
  for (int k = 0; k < 30; ++k) {
    Plan plan = controller.plan(pool, budget, 0);
    std::vector<Outcome> outcomes;
    for (const Issued& issued : plan.generate)
      for (std::uint32_t i = 0; i < issued.n; ++i) {
        Outcome outcome{.id = issued.first + i, .prompt = issued.prompt};
        outcome.correct = i % 2;
        outcome.reward = outcome.correct;
        outcomes.push_back(outcome);
      }
    spent += outcomes.size();
    if (!plan.done) plan = controller.observe(outcomes);
    EXPECT_TRUE(plan.done);
    controller.finalize();
    controller.feedback({.step = controller.step()});
  }
  EXPECT_LE(spent, 30u * 32);
  EXPECT_GE(spent, 28u * 32);
}

TEST(Cero, BeliefsCountScoredVerdictsOnly) {
  // Rewards say the opposite of the verdicts, and two are missing.
  Controller controller = controller_of("cero");
  auto outcomes = verdicts(3, 5);
  for (Outcome& outcome : outcomes) outcome.reward = 1 - outcome.reward;
  outcomes[0].scoring = Scoring::VerifierError;
  outcomes[7].scoring = Scoring::NotScorable;
  const Played p = play(controller, {{7}, {}, {{7, outcomes}}}, budget_of(1, 8));
  EXPECT_EQ(p.report(7).counted_n, 6u);
  EXPECT_EQ(p.report(7).counted_sum, 2.0f);
  // 2 of 6: q = 3 * 5 / (8 * 9) is predicted for the next round.
  const Played next = play(controller, {{7}, {}, {{7, verdicts(4, 4)}}}, budget_of(1, 8));
  EXPECT_NEAR(next.metrics.at("alloc/cero/predicted_variance"), 15. / 72, 1e-12);
  EXPECT_NEAR(next.metrics.at("alloc/cero/observed_variance"), 16. / 56, 1e-12);
  EXPECT_NEAR(next.metrics.at("alloc/cero/selected_p_mean"), 3. / 8, 1e-12);
  EXPECT_NEAR(next.metrics.at("belief/brier"), (9. / 64 + 25. / 64) / 2, 1e-12);
  EXPECT_NEAR(next.metrics.at("belief/calib_bins/1"), .5, 1e-12);
}

TEST(Cero, TrainsLikeGrpoOnTheTokenMean) {
  Controller cero = controller_of("cero"), grpo = controller_of("grpo");
  const testing::Script script{{7}, {}, {{7, verdicts(3, 5)}}};
  const Played a = play(cero, script, budget_of(1, 8)), b = play(grpo, script, budget_of(1, 8));
  EXPECT_EQ(a.advantages(7), b.advantages(7));
  EXPECT_EQ(a.batch.norm, Norm::PerToken);
  // Paper: advantages are clipped to [-5, 5]. One right of 64: (63 / 64) / (1 / 8) = 7.875.
  const testing::Script rare{{7}, {}, {{7, verdicts(1, 63)}}};
  Controller clipped = controller_of("cero", {{"alloc.group_size", "64"}});
  EXPECT_FLOAT_EQ(play(clipped, rare, budget_of(1, 64)).advantages(7)[0], 5);
  Controller not_clipped = controller_of(
      "cero", {{"alloc.group_size", "64"}, {"alloc.cero.advantage_clip", "0"}, {"adv.eps", "0"}});
  EXPECT_NEAR(play(not_clipped, rare, budget_of(1, 64)).advantages(7)[0], 7.875, 1e-5);
}

TEST(Cero, RefusesGroupsThatUnitsDoNotDivide) {
  for (const Settings& settings : std::vector<Settings>{{{"alloc.group_size", "9"}},
                                                        {{"alloc.cero.units", "16"}},
                                                        {{"alloc.n_max", "6"}},
                                                        {{"alloc.n_min", "9"}}})
    EXPECT_THROW(controller_of("cero", settings), Error);
  EXPECT_NO_THROW(controller_of("cero", {{"alloc.group_size", "12"}, {"alloc.cero.units", "3"}}));
}

}  // namespace
}  // namespace allot
