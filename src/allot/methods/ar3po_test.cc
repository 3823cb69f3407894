// Golden cases of AR3PO's stages: expected counts, the stop, caps (acceptance tests of the method's
// specification).
#include <cmath>
#include <map>

#include <gtest/gtest.h>

#include "allot/core/error.h"
#include "allot/core/testing/outcome_stream.h"
#include "allot/methods/enumeration.h"
#include "allot/methods/testing/script.h"

namespace allot {
namespace {

using testing::alloc_options;
using testing::budget_of;
using testing::controller_of;
using testing::drive_step;
using testing::play;
using testing::Played;
using testing::Settings;
using testing::StreamWorld;
using testing::verdicts;

Settings stages(int k, int s, Settings more = {}) {
  more.emplace_back("alloc.ar3po.stage_size", std::to_string(k));
  more.emplace_back("alloc.ar3po.stages", std::to_string(s));
  return more;
}

std::vector<Course> courses(int k, int s) {
  return courses_of(alloc_options("ar3po", stages(k, s)), {});
}

double expected_rollouts(const std::vector<Course>& all, double p) {
  return expectation(all, p, [](const Course& c) { return double(c.rollouts()); });
}

// Acceptance test 1: E[N], P(all wrong), P(all right) and weight per generated response.
TEST(Ar3po, ResponsesAndWeightPerResponse) {
  struct Row {
    double p, n, all_wrong, all_right, weight;
  };
  const std::map<std::pair<int, int>, std::vector<Row>> table = {{{4, 2},
                                                                  {{.02, 7.69, .851, .000, .383},
                                                                   {.10, 6.62, .430, .000, .386},
                                                                   {.30, 4.96, .058, .008, .397},
                                                                   {.50, 4.25, .004, .062, .404},
                                                                   {.70, 4.03, .000, .240, .410},
                                                                   {.90, 4.00, .000, .656, .423}}},
                                                                 {{4, 4},
                                                                  {{.02, 14.23, .724, .000, .326},
                                                                   {.10, 9.48, .185, .000, .350},
                                                                   {.30, 5.25, .003, .008, .391},
                                                                   {.50, 4.27, .000, .062, .403},
                                                                   {.70, 4.03, .000, .240, .410},
                                                                   {.90, 4.00, .000, .656, .423}}},
                                                                 {{2, 4},
                                                                  {{.02, 7.54, .851, .000, .415},
                                                                   {.10, 6.00, .430, .010, .442},
                                                                   {.30, 3.70, .058, .090, .502},
                                                                   {.50, 2.66, .004, .250, .540},
                                                                   {.70, 2.20, .000, .490, .546},
                                                                   {.90, 2.02, .000, .810, .522}}}};
  for (const auto& [sizes, rows] : table) {
    const auto all = courses(sizes.first, sizes.second);
    for (const Row& row : rows) {
      const double n = expected_rollouts(all, row.p);
      EXPECT_NEAR(expectation(all, row.p, [](const Course&) { return 1.0; }), 1, 1e-12);
      EXPECT_NEAR(n, row.n, .0051) << row.p;
      EXPECT_NEAR(expectation(all, row.p, [](const Course& c) { return double(c.right == 0); }),
                  row.all_wrong, .00051);
      EXPECT_NEAR(expectation(all, row.p, [](const Course& c) { return double(c.wrong == 0); }),
                  row.all_right, .00051);
      EXPECT_NEAR(gradient_scale(all, row.p) / n, row.weight, .00051) << row.p;
    }
  }
}

// Acceptance test 2; the closed form of the theory is k sum_{s<S} q^{ks}.
TEST(Ar3po, ExpectedResponseCounts) {
  EXPECT_NEAR(expected_rollouts(courses(4, 4), .3), 5.2464, 5e-5);
  EXPECT_NEAR(expected_rollouts(courses(4, 2), .05), 7.2580, 5e-5);
  for (const auto& [k, s] : std::vector<std::pair<int, int>>{{1, 5}, {3, 3}, {8, 1}})
    for (const double p : {.01, .2, .8}) {
      double sum = 0;
      for (int i = 0; i < s; ++i) sum += k * std::pow(1 - p, k * i);
      EXPECT_NEAR(expected_rollouts(courses(k, s), p), sum, 1e-9);
    }
}

// The same through random outcomes, within 1 %.
TEST(Ar3po, ResponseCountInAStream) {
  StreamWorld world({.seed = 5, .prompts = 4000, .pass_rate = [](PromptId) { return .3; }});
  Controller controller = controller_of("ar3po", stages(4, 4));
  double reported = 0;
  for (int i = 0; i < 10; ++i)
    reported +=
        static_cast<double>(drive_step(controller, world, budget_of(400, 3200)).reported.size());
  EXPECT_NEAR(reported / 4000, 5.2464, .01 * 5.2464 * 2);  // deviation of the mean .048
}

// Acceptance test 9: the sum of group sums without std is sum_s q^{k(s-1)} E[m (N - m) / N] / (pq)
// times grad p, here from the binomial distribution of the last stage.
TEST(Ar3po, GroupSumsWithoutDeviation) {
  const double p = .3, q = .7;
  const auto all = courses_of(alloc_options("ar3po", stages(4, 4)),
                              testing::advantage_options({{"adv.scale", "none"}}));
  const double sum =
      expectation(all, p, [&](const Course& c) { return c.scale(p) * c.rollouts(); });
  const double binomial[] = {0, 4 * p * q * q * q, 6 * p * p * q * q, 4 * p * p * p * q,
                             p * p * p * p};
  double wanted = 0;
  for (int s = 1; s <= 4; ++s)
    for (int m = 1; m <= 4; ++m)
      wanted += std::pow(q, 4 * (s - 1)) * binomial[m] * m * (4 * s - m) / (4.0 * s) / (p * q);
  EXPECT_NEAR(sum, wanted, 1e-5 * wanted);
}

// Acceptance test 5.
TEST(Ar3po, StagesStopAtTheFirstCorrectResponse) {
  Controller controller = controller_of("ar3po", stages(4, 3));
  auto late = verdicts(0, 12);
  late[6].reward = 1, late[6].correct = true;  // in stage 2
  const Played p =
      play(controller,
           {{1, 2, 3, 4},
            {},
            {{1, verdicts(1, 3)}, {2, late}, {3, verdicts(0, 12)}, {4, verdicts(4, 0)}}},
           budget_of(4, 32));
  EXPECT_EQ(p.requested(1), 4u);
  EXPECT_EQ(p.requested(2), 8u);
  EXPECT_EQ(p.requested(3), 12u);
  EXPECT_EQ(p.requested(4), 4u);
  for (const Plan& plan : p.plans)
    for (const Issued& issued : plan.generate) EXPECT_EQ(issued.tag, issued.round);
  EXPECT_EQ(p.report(3).cause, ZeroCause::AllWrong);
  EXPECT_EQ(p.report(3).shipped, 0u);
  EXPECT_EQ(p.report(4).cause, ZeroCause::AllRight);
  EXPECT_TRUE(p.advantages(3).empty() && p.advantages(4).empty());
  EXPECT_EQ(p.batch.fixed, 4);           // prompts planned, not groups with signal
  EXPECT_EQ(p.report(2).counted_n, 4u);  // the belief counts the first stage alone
  EXPECT_EQ(p.report(2).counted_sum, 0);
  EXPECT_EQ(p.metrics.at("alloc/ar3po/responses_per_prompt"), 7);
  EXPECT_EQ(p.metrics.at("alloc/ar3po/solved_by_stage_1"), .5);
  EXPECT_EQ(p.metrics.at("alloc/ar3po/solved_by_stage_2"), .75);
  EXPECT_EQ(p.metrics.at("alloc/ar3po/solved_by_stage_3"), .75);
  EXPECT_EQ(p.metrics.at("alloc/ar3po/all_right_share"), .25);
}

TEST(Ar3po, UnscorablePromptsAreLeftAlone) {
  auto outcomes = verdicts(0, 4);
  for (Outcome& outcome : outcomes) outcome.scoring = Scoring::NotScorable;
  Controller controller = controller_of("ar3po");
  const Played p = play(controller, {{7}, {}, {{7, outcomes}}}, budget_of(1, 8));
  EXPECT_EQ(p.requested(7), 4u);
  EXPECT_EQ(p.report(7).cause, ZeroCause::Unscorable);
}

TEST(Ar3po, CapsBoundTheLaterStages) {
  Controller controller = controller_of("ar3po");
  Budget budget = budget_of(2, 16);
  budget.hard_rollouts = 11;
  budget.n_max = 6;
  const Played p =
      play(controller, {{1, 2}, {}, {{1, verdicts(0, 8)}, {2, verdicts(0, 8)}}}, budget);
  EXPECT_EQ(p.requested(1), 6u);
  EXPECT_EQ(p.requested(2), 5u);
}

TEST(Ar3po, RefusesSizesThatDoNotFit) {
  EXPECT_THROW(controller_of("ar3po", {{"alloc.group_size", "1"}}), Error);
  EXPECT_THROW(controller_of("ar3po", stages(1, 1)), Error);
  EXPECT_NO_THROW(controller_of("ar3po", stages(1, 2)));
}

}  // namespace
}  // namespace allot
