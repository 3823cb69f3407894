// Dynamic pruning: unbiased with a constant normaliser and not without (acceptance tests 1 to 4 and
// 6 of its specification; contract, section 14, property 6).
#include <cmath>

#include <gtest/gtest.h>

#include "allot/core/error.h"
#include "allot/core/random.h"
#include "allot/methods/testing/script.h"

namespace allot {
namespace {

using testing::budget_of;
using testing::controller_of;
using testing::play;
using testing::Played;
using testing::Script;
using testing::Settings;
using testing::verdicts;

constexpr std::uint32_t kG = 8;

double binomial(std::uint32_t right, double p) {
  return std::exp(std::lgamma(kG + 1.) - std::lgamma(right + 1.) - std::lgamma(kG - right + 1.)) *
         std::pow(p, right) * std::pow(1 - p, kG - right);
}

// Sum over a batch of weight * advantage * score, score 1 - p of a right rollout and -p of a wrong
// one, split by right and wrong so that p can be chosen later.
struct Push {
  double right = 0, wrong = 0;
  double at(double p) const { return right * (1 - p) - wrong * p; }
};

// Mean over many steps of groups with so many right ones, divided by the constant Z and by what was
// retained.
struct Thinned {
  Push constant, retained, full;
};

Thinned thinned(std::uint32_t right) {
  Controller controller = controller_of(
      "dynamic_pruning", {{"adv.scale", "none"}, {"alloc.dynamic_pruning.rollout_rate", "0.5"}});
  const auto outcomes = verdicts(right, kG - right);
  constexpr int kSteps = 4000;
  Thinned mean;
  for (int step = 0; step < kSteps; ++step) {
    const Played p =
        play(controller, {{1}, {}, {{1, outcomes}}}, budget_of(1, kG), static_cast<Version>(step));
    EXPECT_EQ(p.batch.norm, Norm::Fixed);
    EXPECT_EQ(p.batch.fixed, kG);
    const auto kept = p.kept(1);
    for (std::size_t i = 0; i < kept.size(); ++i) {
      const TrainItem& item = p.batch.items[i];
      const double push = static_cast<double>(item.weight) * item.advantage / kSteps;
      const bool is_right = kept[i] < right;
      (is_right ? mean.constant.right : mean.constant.wrong) += push / p.batch.fixed;
      (is_right ? mean.retained.right : mean.retained.wrong) +=
          push / static_cast<double>(kept.size());
    }
  }
  const double c = right, rate = c / kG;
  mean.full = {c * (1 - rate) / kG, -(kG - c) * rate / kG};
  return mean;
}

// The deterministic form that some descriptions give: the larger half by |A|, ties at random,
// scaled by two. Its expectation over ties.
Push top_half(std::uint32_t right) {
  const double c = right, rate = c / kG, half = kG / 2.;
  const double right_kept = c < half ? c : c > half ? half - (kG - c) : half / 2;
  return {2 * right_kept * (1 - rate) / kG, -2 * (half - right_kept) * rate / kG};
}

TEST(DynamicPruning, RatioToTheWholeBatch) {
  const std::vector<double> rates = {.125, .25, .5, .75};
  const std::vector<double> retained = {1.77, 1.56, 1.35, 1.56}, top = {1.81, 1.54, 1.17, 1.54};
  std::vector<Thinned> by_count;
  for (std::uint32_t right = 0; right <= kG; ++right) by_count.push_back(thinned(right));
  for (std::size_t i = 0; i < rates.size(); ++i) {
    const double p = rates[i];
    double whole = 0, constant = 0, by_retained = 0, half = 0;
    for (std::uint32_t right = 0; right <= kG; ++right) {
      const double chance = binomial(right, p);
      whole += chance * by_count[right].full.at(p);
      constant += chance * by_count[right].constant.at(p);
      by_retained += chance * by_count[right].retained.at(p);
      half += chance * top_half(right).at(p);
    }
    EXPECT_NEAR(constant / whole, 1, .02) << p;
    EXPECT_NEAR(by_retained / whole, retained[i], .02 * retained[i]) << p;
    EXPECT_NEAR(half / whole, top[i], .0051) << p;
  }
}

TEST(DynamicPruning, SkippedPromptsAreMadeUpFor) {
  constexpr PromptId kPrompts = 1000;
  Controller controller = controller_of(
      "dynamic_pruning", {{"adv.scale", "none"}, {"alloc.dynamic_pruning.rollout_rate", "0"}});
  RandomStream random({1, RandomUse::Test, 0, 0, 0});
  Script script;
  std::vector<double> h(kPrompts);  // any function of the prompt
  double whole = 0, score_sum = 0, below = 0;
  std::vector<double> scores;
  for (PromptId id = 0; id < kPrompts; ++id) {
    script.candidates.push_back(id);
    const auto right = static_cast<std::uint32_t>(1 + random.below(7));
    script.outcomes[id] = verdicts(right, kG - right);
    scores.push_back(right * (kG - right));
    score_sum += scores.back();
    whole += h[id] = random.normal() + 1;
  }
  for (const double score : scores) below += score < score_sum / kPrompts;
  double sum = 0, squares = 0, kept = 0;
  constexpr int kSteps = 60;
  play(controller, script, budget_of(kPrompts, kG * kPrompts));  // gives every prompt its score
  for (Version step = 1; step <= kSteps; ++step) {
    const Played p = play(controller, script, budget_of(kPrompts, kG * kPrompts), step);
    double weighted = 0;
    for (const TrainGroup& group : p.batch.groups) {
      weighted += p.batch.items[group.first].weight * h[group.prompt];
      ++kept;
    }
    sum += weighted, squares += weighted * weighted;
    EXPECT_EQ(p.batch.fixed, 8000);
    EXPECT_EQ(p.metrics.at("alloc/dynamic_pruning/prompts_skipped"),
              static_cast<double>(kPrompts - p.batch.groups.size()));
    EXPECT_EQ(p.metrics.at("alloc/dynamic_pruning/weight_max"), 2);
  }
  const double mean = sum / kSteps;
  const double error = std::sqrt((squares / kSteps - mean * mean) / kSteps);
  EXPECT_NEAR(mean, whole, 3 * error);
  EXPECT_NEAR(kept / kSteps / kPrompts, 1 - .5 * below / kPrompts, .01);
  EXPECT_NEAR(kept / kSteps / kPrompts, .75, .06);
}

TEST(DynamicPruning, WithoutPruningItIsGrpoOverTheWholeBatch) {
  const Script script{
      {1, 2, 3}, {}, {{1, verdicts(3, 5)}, {2, verdicts(0, 8)}, {3, verdicts(7, 1)}}};
  Controller plain = controller_of("grpo");
  Controller pruned = controller_of(
      "dynamic_pruning",
      {{"alloc.dynamic_pruning.prompt_rate", "0"}, {"alloc.dynamic_pruning.rollout_rate", "0"}});
  for (Version step = 0; step < 3; ++step) {
    const Played a = play(plain, script, budget_of(3, 24), step);
    const Played b = play(pruned, script, budget_of(3, 24), step);
    for (const PromptId id : {1, 2, 3}) {
      EXPECT_EQ(a.advantages(id), b.advantages(id));
      EXPECT_EQ(a.report(id).cause, b.report(id).cause);
    }
    for (const TrainItem& item : b.batch.items) EXPECT_EQ(item.weight, 1);
    EXPECT_EQ(b.batch.fixed, 24);
  }
}

TEST(DynamicPruning, WeightsAddUpToTheWholeBatch) {
  Controller controller = controller_of("dynamic_pruning");
  Script script;
  RandomStream random({2, RandomUse::Test, 0, 0, 0});
  for (PromptId id = 0; id < 40; ++id) script.candidates.push_back(id);
  double sum = 0;
  constexpr int kSteps = 1000;
  for (Version step = 0; step < kSteps; ++step) {
    for (const PromptId id : script.candidates) {
      const auto right = static_cast<std::uint32_t>(random.below(9));
      script.outcomes[id] = verdicts(right, kG - right);
    }
    const Played p = play(controller, script, budget_of(40, 320), step);
    sum += p.metrics.at("alloc/dynamic_pruning/weight_sum_over_Z");
  }
  EXPECT_NEAR(sum / kSteps, 1, .005);
}

TEST(DynamicPruning, PromptsWithoutHistoryAreNeverSkipped) {
  Controller controller =
      controller_of("dynamic_pruning", {{"alloc.dynamic_pruning.prompt_rate", "0.99"}});
  std::uint32_t solved_visits = 0;
  for (Version step = 0; step < 30; ++step) {
    Script script;
    for (PromptId id = 0; id < 10; ++id) {
      script.candidates.push_back(100 * step + id);  // new
      script.outcomes[100 * step + id] = verdicts(id == 0 ? 4 : 0, id == 0 ? 4 : 8);
    }
    // A solved prompt and a mixed one come along every time: the solved one is skipped.
    script.candidates.insert(script.candidates.end(), {90001, 90002});
    script.outcomes[90001] = verdicts(8, 0), script.outcomes[90002] = verdicts(4, 4);
    const Played p = play(controller, script, budget_of(12, 96), step);
    for (PromptId id = 0; id < 10; ++id) EXPECT_EQ(p.requested(100 * step + id), 8u);
    EXPECT_EQ(p.requested(90002), 8u);
    solved_visits += p.requested(90001) > 0;
  }
  EXPECT_LE(solved_visits, 3u);
}

TEST(DynamicPruning, CapsShortenTheBatch) {
  Controller controller = controller_of("dynamic_pruning");
  Budget budget = budget_of(3, 24);
  budget.hard_rollouts = 11;
  const Played p =
      play(controller, {{1, 2, 3}, {}, {{1, verdicts(4, 4)}, {2, verdicts(1, 2)}}}, budget);
  EXPECT_EQ(p.requested(2), 3u);
  EXPECT_EQ(p.requested(3), 0u);
  EXPECT_EQ(p.batch.fixed, 11);
}

TEST(DynamicPruning, MeasuresThePacking) {
  Controller controller =
      controller_of("dynamic_pruning", {{"alloc.dynamic_pruning.rollout_rate", "0"}});
  Budget budget = budget_of(1, 8);
  budget.max_tokens = 25;  // two answers of 10 tokens in each of four rows
  const Played p = play(controller, {{1}, {}, {{1, verdicts(4, 4)}}}, budget);
  EXPECT_NEAR(p.metrics.at("alloc/dynamic_pruning/packing_fill"), .8, 1e-12);
}

TEST(DynamicPruning, RefusesToDropEverything) {
  EXPECT_THROW(controller_of("dynamic_pruning", {{"alloc.dynamic_pruning.prompt_rate", "1"}}),
               Error);
}

}  // namespace
}  // namespace allot
