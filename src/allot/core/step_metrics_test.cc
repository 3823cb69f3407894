#include "allot/core/step_metrics.h"

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace allot {
namespace {

constexpr Version kPolicy = 4;

Outcome scored(float reward, std::uint32_t round, std::uint32_t tokens,
               Status status = Status::Ok) {
  return {.round = round,
          .behaviour = kPolicy,
          .status = status,
          .reward = reward,
          .correct = reward >= 1,
          .tokens = tokens};
}

// One step with everything in it: prompt 1 mixed over two rounds, 2 all right, 3 all wrong (one
// rollout silent), 4 only verifier errors, 5 failed.
class StepMetricsTest : public ::testing::Test {
 protected:
  StepMetricsTest() {
    Outcome silent = scored(0, 0, 6);
    silent.parsed = false;
    const Outcome broken{.behaviour = kPolicy, .scoring = Scoring::VerifierError, .tokens = 5};
    const Outcome failed{
        .behaviour = kPolicy, .status = Status::Failed, .scoring = Scoring::NotScorable};
    outcomes = {{scored(1, 0, 10), scored(0, 0, 20), scored(1, 1, 30), scored(0, 1, 40)},
                {scored(1, 0, 8), scored(1, 0, 12)},
                {scored(0, 0, 50, Status::Truncated), silent},
                {broken, broken},
                {failed}};
    planned = {{1, 2, 4, outcomes[0]},
               {2, 1, 2, outcomes[1]},
               {3, 1, 2, outcomes[2]},
               {4, 1, 2, outcomes[3]},
               {5, 1, 1, outcomes[4]}};
    batch.items = {{1, 0.5f, 1}, {2, -0.5f, 1}, {3, 1, 2}};
    batch.groups = {{1, 0, 2}, {2, 2, 1}};
    batch.reports = {{1, 0, 0, true, 2, ZeroCause::None},
                     {2, 0, 0, true, 1, ZeroCause::AllRight},
                     {3, 0, 0, false, 0, ZeroCause::AllWrong},
                     {4, 0, 0, false, 0, ZeroCause::VerifierError},
                     {5, 0, 0, false, 0, ZeroCause::GenerationFailed}};
    shipped = {{1, 1, 10}, {1, 0, 20}, {2, 1, 8}};
  }

  std::map<std::string, double> metrics() const {
    std::map<std::string, double> values;
    std::vector<Metric> list{{"of/the/step/before", 7}};  // is written over
    step_metrics({.policy = kPolicy,
                  .planned = planned,
                  .batch = batch,
                  .shipped = shipped,
                  .given = given,
                  .left = left,
                  .step = step,
                  .run = run,
                  .ledger = ledger,
                  .data_size = data_size},
                 list);
    for (const Metric& metric : list) {
      EXPECT_TRUE(std::isfinite(metric.value)) << metric.name;
      EXPECT_TRUE(values.emplace(metric.name, metric.value).second) << metric.name << " twice";
    }
    return values;
  }

  std::vector<std::vector<Outcome>> outcomes;
  std::vector<PlannedPrompt> planned;
  TrainBatch batch;
  std::vector<ShippedRollout> shipped;
  Budget given, left;
  Spending step, run;
  Ledger ledger;
  std::uint64_t data_size = 0;
};

TEST_F(StepMetricsTest, Rewards) {
  outcomes[1][1].behaviour = kPolicy - 1;  // stale: not part of the first-round mean
  const auto m = metrics();
  EXPECT_DOUBLE_EQ(m.at("reward/first_round"), 2.0 / 5);
  EXPECT_DOUBLE_EQ(m.at("reward/mean"), 0.5);
  EXPECT_DOUBLE_EQ(m.at("reward/std"), 0.5);
  EXPECT_DOUBLE_EQ(m.at("reward/shipped"), 2.0 / 3);
}

TEST_F(StepMetricsTest, TriadCoversThePromptsWithAScoreAndAddsUp) {
  const auto m = metrics();
  EXPECT_DOUBLE_EQ(m.at("group/frac_mixed"), 1.0 / 3);
  EXPECT_DOUBLE_EQ(m.at("group/frac_all_good"), 1.0 / 3);
  EXPECT_DOUBLE_EQ(m.at("group/frac_all_bad"), 1.0 / 3);
}

TEST_F(StepMetricsTest, ZeroCausesAddUpToTheShareWithoutSignal) {
  const auto m = metrics();
  EXPECT_DOUBLE_EQ(m.at("group/zero_cause/all_right"), 0.2);
  EXPECT_DOUBLE_EQ(m.at("group/zero_cause/all_wrong"), 0.2);
  EXPECT_DOUBLE_EQ(m.at("group/zero_cause/unscorable"), 0.4);
  EXPECT_EQ(m.at("group/verifier_error"), 1);
  EXPECT_EQ(m.at("group/generation_failed"), 1);
  double sum = 0;
  for (const auto& [name, value] : m)
    if (name.rfind("group/zero_cause/", 0) == 0) sum += value;
  EXPECT_DOUBLE_EQ(sum, 0.8);
}

TEST_F(StepMetricsTest, GroupsOfEarlierStepsDoNotEnterTheShares) {
  batch.reports.push_back({99, 0, 0, true, 0, ZeroCause::AllRight});
  EXPECT_DOUBLE_EQ(metrics().at("group/zero_cause/all_right"), 0.2);
}

TEST_F(StepMetricsTest, Allocation) {
  given = {.rollouts = 16};
  left = {.rollouts = 5, .hard_rollouts = 7, .hard_tokens = 90};
  auto m = metrics();
  EXPECT_DOUBLE_EQ(m.at("alloc/n_mean"), 11.0 / 5);
  EXPECT_EQ(m.at("alloc/n_min"), 1);
  EXPECT_EQ(m.at("alloc/n_max"), 4);
  EXPECT_EQ(m.at("alloc/n_hist/0"), 0);
  EXPECT_EQ(m.at("alloc/n_hist/1"), 1);
  EXPECT_EQ(m.at("alloc/n_hist/2"), 3);
  EXPECT_EQ(m.at("alloc/n_hist/3-4"), 1);
  EXPECT_EQ(m.count("alloc/n_hist/5-8"), 0u);
  EXPECT_EQ(m.at("alloc/rounds"), 2);
  EXPECT_EQ(m.at("alloc/unspent"), 5);
  EXPECT_EQ(m.at("alloc/admitted"), 2);
  EXPECT_EQ(m.at("alloc/budget_left_rollouts"), 7);
  EXPECT_EQ(m.at("alloc/budget_left_tokens"), 90);
  left.run_rollouts = 1000;
  EXPECT_EQ(metrics().at("alloc/budget_left_rollouts"), 1000);
  given = left = {};
  m = metrics();
  EXPECT_EQ(m.count("alloc/unspent"), 0u);
  EXPECT_EQ(m.count("alloc/budget_left_rollouts"), 0u);
}

// Prompt 1 ships items of 10 and 20 tokens with weight 1, prompt 2 one of 8 tokens with weight 2.
TEST_F(StepMetricsTest, PromptWeightsFollowTheNormaliser) {
  const auto expect = [&](double a, double b) {
    const double mean = (a + b) / 2;
    const auto m = metrics();
    EXPECT_DOUBLE_EQ(m.at("alloc/prompt_weight_min"), std::min(a, b) / mean);
    EXPECT_DOUBLE_EQ(m.at("alloc/prompt_weight_max"), std::max(a, b) / mean);
    EXPECT_DOUBLE_EQ(m.at("alloc/prompt_weight_median"), 1);
    // Two prompts weigh between 2/3 and 4/3 of their mean here.
    EXPECT_EQ(m.at("alloc/prompt_weight_hist/0.71-1.41"), a == b ? 2 : 1);
    EXPECT_EQ(m.at("alloc/prompt_weight_hist/0.35-0.71"), a == b ? 0 : 1);
  };
  batch.norm = Norm::PerGroup;
  expect(1, 2);
  batch.norm = Norm::PerRollout;
  expect(2, 2);
  batch.norm = Norm::Fixed;
  batch.fixed = 100;
  expect(2, 2);
  batch.length_divisor = 64;
  expect(30, 16);
  batch.norm = Norm::PerToken;
  batch.length_divisor = 0;
  expect(30, 16);
  EXPECT_DOUBLE_EQ(metrics().at("advantage/abs_mean"), 2.0 / 3);
}

TEST_F(StepMetricsTest, PromptWeightsByFactorsOfTwo) {
  batch = {};
  batch.norm = Norm::PerRollout;
  shipped.clear();
  // Their mean is 4: shares of .25, .5, 1, 1, 2 and 1.25.
  for (const float weight : {1.F, 2.F, 4.F, 4.F, 8.F, 5.F}) {
    const auto i = static_cast<std::uint32_t>(batch.items.size());
    batch.groups.push_back({.prompt = i + 1, .first = i, .count = 1});
    batch.items.push_back({.weight = weight});
    shipped.push_back({});
  }
  auto m = metrics();
  EXPECT_EQ(m.at("alloc/prompt_weight_hist/0-0.35"), 1);
  EXPECT_EQ(m.at("alloc/prompt_weight_hist/0.35-0.71"), 1);
  EXPECT_EQ(m.at("alloc/prompt_weight_hist/0.71-1.41"), 3);
  EXPECT_EQ(m.at("alloc/prompt_weight_hist/1.41-2.83"), 1);
  EXPECT_EQ(m.at("alloc/prompt_weight_hist/2.83-"), 0);
  batch.items.back().weight = 100;
  EXPECT_EQ(metrics().at("alloc/prompt_weight_hist/2.83-"), 1);
}

TEST_F(StepMetricsTest, LengthsAndVerifier) {
  const auto m = metrics();
  EXPECT_DOUBLE_EQ(m.at("length/mean"), (10 + 20 + 30 + 40 + 8 + 12 + 50 + 6 + 5 + 5) / 10.0);
  EXPECT_EQ(m.at("length/min"), 5);
  EXPECT_EQ(m.at("length/max"), 50);
  EXPECT_EQ(m.at("length/terminated_max"), 40);
  EXPECT_DOUBLE_EQ(m.at("length/truncated_frac"), 0.1);
  EXPECT_EQ(m.at("verifier/correct"), 4);
  EXPECT_EQ(m.at("verifier/wrong"), 3);
  EXPECT_EQ(m.at("verifier/no_answer"), 1);
  EXPECT_EQ(m.at("verifier/error"), 2);
  EXPECT_EQ(m.at("verifier/not_scorable"), 0);
}

TEST_F(StepMetricsTest, SpendingOfStepAndRun) {
  step.generated.add(11, 186);
  step.discarded.add(8, 148);
  run.generated.add(100, 2000);
  const auto m = metrics();
  EXPECT_EQ(m.at("rollouts/generated"), 11);
  EXPECT_EQ(m.at("tokens/generated"), 186);
  EXPECT_EQ(m.at("tokens/discarded"), 148);
  EXPECT_EQ(m.at("rollouts/trained"), 0);
  EXPECT_EQ(m.at("tokens/generated_total"), 2000);
}

TEST_F(StepMetricsTest, LedgerCountsPromptsAndUnseenNeedsTheSize) {
  const auto visit_all = [&](std::uint64_t step) {
    for (const PlannedPrompt& prompt : planned)
      ledger.observe(prompt.prompt, step, prompt.outcomes, ZeroCause::None);
  };
  visit_all(0);
  EXPECT_EQ(metrics().at("ledger/mixed"), 3);  // two equal verdicts are too few to tell
  visit_all(1);
  auto m = metrics();
  EXPECT_EQ(m.at("ledger/mixed"), 1);
  EXPECT_EQ(m.at("ledger/solved"), 1);
  EXPECT_EQ(m.at("ledger/dead"), 1);
  EXPECT_EQ(m.count("ledger/unseen"), 0u);
  data_size = 20;
  EXPECT_EQ(metrics().at("ledger/unseen"), 17);  // prompts 4 and 5 never had a score
}

// Every number of rollouts is in the bin whose name says so.
TEST_F(StepMetricsTest, TheHistogramOfRolloutsPerPrompt) {
  for (std::uint32_t n = 0; n <= 33; ++n) {
    planned = {{1, 1, n, outcomes[0]}};
    const auto m = metrics();
    std::string bin;
    for (const auto& [name, value] : m)
      if (name.starts_with("alloc/n_hist/") && value > 0) bin = name.substr(13);
    const std::size_t dash = bin.find('-');
    const std::uint32_t low = static_cast<std::uint32_t>(std::stoul(bin.substr(0, dash)));
    const std::uint32_t high = dash == std::string::npos
                                   ? low
                                   : static_cast<std::uint32_t>(std::stoul(bin.substr(dash + 1)));
    EXPECT_TRUE(low <= n && n <= high) << n << " in " << bin;
    if (low > 1) {
      EXPECT_EQ(high == low ? 2u : 2 * (low - 1), high) << bin;
    }
  }
}

TEST_F(StepMetricsTest, WhatDoesNotApplyIsAbsent) {
  planned.clear();
  batch = {};
  shipped.clear();
  const auto m = metrics();
  for (const char* prefix : {"reward/", "group/", "length/", "verifier/", "advantage/", "alloc/n_",
                             "alloc/prompt_weight"})
    for (const auto& [name, value] : m) EXPECT_NE(name.rfind(prefix, 0), 0u) << name;
  EXPECT_EQ(m.at("rollouts/generated"), 0);
}

TEST(Ledger, CountsOnlyScoredFirstRoundOutcomesByCorrectness) {
  Ledger ledger;
  Outcome shaped = scored(0.9f, 0, 5);  // a shaped reward that is not a success
  const Outcome later = scored(1, 1, 5);
  const Outcome broken{.scoring = Scoring::VerifierError, .tokens = 3};
  ledger.observe(7, 4, std::vector{scored(1, 0, 2), shaped, later, broken}, ZeroCause::None);
  ledger.shipped(7, 0.75);
  ledger.observe(7, 9, std::vector{scored(1, 0, 2)}, ZeroCause::Single);
  const PromptRecord record = *ledger.find(7);
  EXPECT_EQ(record.trials, 3);
  EXPECT_EQ(record.successes, 2);
  EXPECT_EQ(record.rollouts, 5u);
  EXPECT_EQ(record.tokens, 17u);
  EXPECT_EQ(record.last_step, 9u);
  EXPECT_EQ(record.last_cause, ZeroCause::Single);
  EXPECT_EQ(record.last_abs_advantage, 0.75);
  EXPECT_EQ(ledger.find(8), nullptr);
}

}  // namespace
}  // namespace allot
