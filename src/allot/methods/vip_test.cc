// VIP through the Controller: both beliefs, both rules, what it may spend, what it refuses.
#include <cmath>

#include <gtest/gtest.h>

#include "allot/core/error.h"
#include "allot/core/testing/outcome_stream.h"
#include "allot/methods/testing/script.h"

namespace allot {
namespace {

using testing::budget_of;
using testing::controller_of;
using testing::drive_step;
using testing::DrivenStep;
using testing::play;
using testing::Played;
using testing::Settings;
using testing::StreamWorld;
using testing::verdicts;

TEST(Vip, FirstStepIsUniform) {
  for (const char* belief : {"embedding", "history", "auto"}) {
    StreamWorld world({.prompts = 10});
    Controller controller = controller_of("vip", {{"alloc.vip.belief", belief}});
    const DrivenStep step = drive_step(controller, world, budget_of(10, 80));
    ASSERT_EQ(step.plans[0].generate.size(), 10u) << belief;
    for (const Issued& issued : step.plans[0].generate) EXPECT_EQ(issued.n, 8u);
  }
}

// Prompts whose embeddings lie together share what is learnt of one of them.
class Clusters {
 public:
  explicit Clusters(Controller& controller) : c_(controller) {}

  // One step over `prompts`; pass rates are 1 for ids below 100, else `rate` by turns.
  std::map<PromptId, std::uint32_t> step(const std::vector<PromptId>& prompts) {
    std::vector<PromptRef> refs;
    for (const PromptId id : prompts) refs.push_back({id, 0, id < 100 ? solved_ : mixed_});
    Plan plan = c_.plan(
        refs, budget_of(static_cast<std::uint32_t>(prompts.size()), 8 * prompts.size()), version_);
    std::map<PromptId, std::uint32_t> n;
    std::vector<Outcome> outcomes;
    for (const Issued& issued : plan.generate) {
      n[issued.prompt] += issued.n;
      for (std::uint32_t i = 0; i < issued.n; ++i) {
        Outcome outcome{.id = issued.first + i, .prompt = issued.prompt, .behaviour = version_};
        outcome.correct = issued.prompt < 100 || i % 2 == 0;
        outcome.reward = outcome.correct;
        outcomes.push_back(outcome);
      }
    }
    EXPECT_TRUE(c_.observe(outcomes).done);
    const bool updated = !c_.finalize().items.empty();
    c_.feedback({c_.step(), version_, version_ + updated, updated});
    version_ += updated;
    return n;
  }

 private:
  Controller& c_;
  std::vector<float> solved_ = {0, 0}, mixed_ = {3, 4};
  Version version_ = 0;
};

TEST(Vip, EmbeddingsPredictPromptsThatWereNeverVisited) {
  Controller controller = controller_of("vip", {{"alloc.vip.bandwidth", "1"}});
  Clusters world(controller);
  for (int visit = 0; visit < 6; ++visit) world.step({1, 2, 101, 102});
  const auto n = world.step({3, 4, 103, 104});  // all new
  EXPECT_EQ(n.at(3) + n.at(4) + n.at(103) + n.at(104), 32u);
  EXPECT_LT(n.at(3), 7u);
  EXPECT_GT(n.at(103), 9u);

  Controller blind = controller_of("vip", {{"alloc.vip.belief", "history"}});
  Clusters other(blind);
  for (int visit = 0; visit < 6; ++visit) other.step({1, 2, 101, 102});
  for (const auto& [prompt, count] : other.step({3, 4, 103, 104})) EXPECT_EQ(count, 8u);
  const auto again = other.step({1, 2, 101, 102});
  EXPECT_LT(again.at(1), again.at(101));
}

TEST(Vip, HistoryFades) {
  // All wrong, then all right: counts (0 of 8), then .5 * (0 of 8) + (8 of 8) -> (8 + 1) / (12 +
  // 2).
  Controller controller = controller_of("vip", {{"alloc.vip.belief", "history"}});
  const auto visit = [&](std::vector<Outcome> outcomes) {
    return play(controller, {{1}, {}, {{1, std::move(outcomes)}}}, budget_of(1, 8));
  };
  visit(verdicts(0, 8));
  visit(verdicts(8, 0));
  const Played p = visit(verdicts(4, 4));
  const double rate = 9. / 14;
  EXPECT_NEAR(p.metrics.at("alloc/vip/predicted_var"), rate * (1 - rate), 1e-12);
  EXPECT_NEAR(p.metrics.at("alloc/vip/mae_pred"), rate - .5, 1e-12);
  EXPECT_NEAR(p.metrics.at("belief/brier"), (rate * rate + (1 - rate) * (1 - rate)) / 2, 1e-12);
  EXPECT_NEAR(p.metrics.at("belief/calib_bins/3"), .5, 1e-12);
}

TEST(Vip, EstimatorsOfTheRules) {
  const auto advantages = [](const Settings& settings) {
    Controller controller = controller_of("vip", settings);
    const Played p = play(controller, {{1}, {}, {{1, verdicts(2, 6)}}}, budget_of(1, 8));
    EXPECT_EQ(p.batch.norm, Norm::PerGroup);
    return p.advantages(1);
  };
  EXPECT_FLOAT_EQ(advantages({})[0], 6. / 7);  // r - mean of the others
  EXPECT_FLOAT_EQ(advantages({})[7], -2. / 7);
  EXPECT_FLOAT_EQ(advantages({{"alloc.vip.rule", "dr_grpo"}})[0], .75);
  Controller grpo = controller_of("grpo");
  EXPECT_EQ(advantages({{"alloc.vip.estimator", "adv"}}),
            play(grpo, {{1}, {}, {{1, verdicts(2, 6)}}}, budget_of(1, 8)).advantages(1));
}

// E[estimator] / (p (1 - p)) is 1 with leave-one-out for every n, by enumeration through the
// method.
TEST(Vip, LeaveOneOutIsUnbiasedForEverySize) {
  for (std::uint32_t n = 2; n <= 32; ++n)
    for (const double p : {.03, .25, .5, .9}) {
      double sum = 0;
      for (std::uint32_t right = 0; right <= n; ++right) {
        Controller controller = controller_of("vip", {{"alloc.vip.least", "2"}});
        const Played played =
            play(controller, {{1}, {}, {{1, verdicts(right, n - right)}}}, budget_of(1, n));
        double estimate = 0;
        const auto a = played.advantages(1);
        for (std::size_t i = 0; i < a.size(); ++i)
          estimate += a[i] * (i < right ? 1 - p : -p) / static_cast<double>(a.size());
        const double ways =
            std::exp(std::lgamma(n + 1.) - std::lgamma(right + 1.) - std::lgamma(n - right + 1.));
        sum += ways * std::pow(p, right) * std::pow(1 - p, n - right) * estimate;
      }
      EXPECT_NEAR(sum / (p * (1 - p)), 1, 1e-5) << n << " " << p;
    }
}

TEST(Vip, SumIsTheHardBudget) {
  for (const char* rule : {"rloo", "dr_grpo"}) {
    Controller controller = controller_of("vip", {{"alloc.vip.rule", rule}});
    const std::uint64_t least = std::string(rule) == "rloo" ? 2 : 3;
    Budget budget = budget_of(3, 400);
    for (const std::uint64_t hard : {24u, 390u, 50u, 9u, 8u, 5u, 3u, 2u, 1u, 0u}) {
      budget.hard_rollouts = hard;
      std::map<PromptId, std::vector<Outcome>> outcomes;
      for (const PromptId id : {1, 2, 3}) outcomes[id] = verdicts(50 * id, 400);
      const Played p = play(controller, {{1, 2, 3}, {}, outcomes}, budget,
                            static_cast<Version>(controller.step()));
      std::uint64_t sum = 0;
      for (const PromptId id : {1, 2, 3}) {
        const std::uint32_t n = p.requested(id);
        EXPECT_TRUE(n == 0 || n >= least);
        sum += n;
      }
      EXPECT_EQ(sum, hard < least ? 0 : hard) << rule;
    }
  }
}

TEST(Vip, MeasuresItsPredictions) {
  Controller controller = controller_of("vip");
  const std::vector<PromptId> ids = {1, 2, 3};
  std::map<PromptId, std::vector<Outcome>> first = {
      {1, verdicts(0, 8)}, {2, verdicts(4, 4)}, {3, verdicts(8, 0)}};
  const Played a = play(controller, {ids, {}, first}, budget_of(3, 24));
  EXPECT_EQ(a.metrics.count("alloc/vip/corr_pred_acc"), 0u);  // predictions were equal
  EXPECT_NEAR(a.metrics.at("alloc/vip/mae_pred"), 1. / 3, 1e-12);
  EXPECT_NEAR(a.metrics.at("alloc/vip/realised_ratio_vs_uniform"), 1, 1e-12);
  std::map<PromptId, std::vector<Outcome>> second = {
      {1, verdicts(0, 32)}, {2, verdicts(16, 16)}, {3, verdicts(32, 0)}};
  second[2].clear();
  for (int i = 0; i < 16; ++i)
    for (const Outcome& outcome : verdicts(1, 1)) second[2].push_back(outcome);
  const Played b = play(controller, {ids, {}, second}, budget_of(3, 24), 1);
  EXPECT_GT(b.requested(2), b.requested(1));
  EXPECT_GT(b.metrics.at("alloc/vip/corr_pred_acc"), .99);
  EXPECT_LT(b.metrics.at("alloc/vip/realised_ratio_vs_uniform"), 1);
}

// The contract's property for the belief that its random worlds, which show embeddings, do not use.
TEST(Vip, HistoryResumesAtEveryEvent) {
  const Settings settings = {{"alloc.vip.belief", "history"}};
  const auto run = [&](bool reload) {
    StreamWorld world({.seed = 5, .prompts = 12, .arrivals_per_call = 5});
    if (reload)
      world.settings().at_event = [&](Controller& controller) {
        Controller fresh = controller_of("vip", settings);
        fresh.load(controller.save(1), 1);
        controller = std::move(fresh);
      };
    Controller controller = controller_of("vip", settings);
    std::string text;
    for (int step = 0; step < 5; ++step)
      text += transcript(drive_step(controller, world, budget_of(6, 48)));
    return text;
  };
  EXPECT_EQ(run(true), run(false));
}

TEST(Vip, RefusesWhatItCannotUse) {
  EXPECT_THROW(controller_of("vip", {{"alloc.vip.rule", "dr_grpo"}, {"alloc.vip.least", "2"}}),
               Error);
  EXPECT_THROW(controller_of("vip", {{"alloc.vip.least", "9"}, {"alloc.vip.most", "8"}}), Error);
  const AllocOptions embedded = testing::alloc_options("vip", {{"alloc.vip.belief", "embedding"}});
  EXPECT_THROW(Controller(make_method(embedded, {}), {.method = "vip"}), Error);  // of this host
  // Embeddings of another size, or with NaN, in the middle of a run.
  for (const std::vector<float>& bad : {std::vector<float>{1, 2, 3}, {1, NAN}, {}}) {
    Controller controller = controller_of("vip");
    const std::vector<float> good = {1, 2};
    const std::vector<PromptRef> prompts = {{1, 0, good}, {2, 0, bad}};
    EXPECT_THROW(controller.plan(prompts, budget_of(2, 16), 0), Error);
  }
}

}  // namespace
}  // namespace allot
