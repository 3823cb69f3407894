// Combinations of methods (contract, section 10). The contract tests run over every legal pair.
#include "allot/methods/combination.h"

#include <algorithm>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "allot/core/error.h"
#include "allot/core/testing/outcome_stream.h"
#include "allot/core/testing/puppet_method.h"
#include "allot/methods/pairs.h"
#include "allot/methods/testing/script.h"

namespace allot {
namespace {

using testing::alloc_options;
using testing::budget_of;
using testing::controller_of;
using testing::drive_step;
using testing::DrivenStep;
using testing::ids;
using testing::play;
using testing::Played;
using testing::prompts_of;
using testing::Puppet;
using testing::PuppetMethod;
using testing::Script;
using testing::serves_everything;
using testing::Settings;
using testing::StreamWorld;
using testing::verdicts;

double metric_of_step(const std::vector<Metric>& metrics, const std::string& name) {
  for (const Metric& metric : metrics)
    if (metric.name == name) return metric.value;
  ADD_FAILURE() << "no metric " << name;
  return 0;
}

std::string refusal(const std::string& name, const Settings& settings = {}) {
  try {
    make_method(alloc_options(name, settings), {});
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Config);
    return error.what();
  }
  return "not refused";
}

bool mentions(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// Who may stand where, of all methods that are registered.
TEST(Pairs, RolesOfTheMethods) {
  const std::set<std::string> choosers = {"cero", "mopps", "greso", "dynamic_pruning"};
  const std::set<std::string> inner = {"aero", "ar3po", "reinforce_ada", "pods"};
  std::size_t pairs = 0;
  for (const std::string& name : method_names()) {
    const Role role = default_needs(name).role;
    EXPECT_EQ(role == Role::Chooser, choosers.count(name) > 0) << name;
    EXPECT_EQ(role == Role::InGroup, inner.count(name) > 0) << name;
    for (const std::string& second : method_names()) {
      if (!choosers.count(name) || !inner.count(second)) continue;
      ++pairs;
      EXPECT_NE(make_method(alloc_options(name + "+" + second), {}), nullptr);
    }
  }
  EXPECT_EQ(combinations().size(), pairs);
  EXPECT_GE(pairs, 2u);
}

TEST(Pairs, OthersAreRefusedWithTheReason) {
  EXPECT_TRUE(mentions(refusal("grpo+aero"), "grpo cannot stand first")) << refusal("grpo+aero");
  EXPECT_TRUE(mentions(refusal("aero+mopps"), "aero cannot stand first"));
  EXPECT_TRUE(mentions(refusal("mopps+dapo"), "mopps+dapo': dapo cannot stand second"));
  EXPECT_TRUE(mentions(refusal("mopps+mopps"), "one of aero"));
  EXPECT_TRUE(mentions(refusal("mopps+aero+aero"), "3 methods were given"));
  EXPECT_TRUE(mentions(refusal("mopps+areo"), "did you mean 'aero'"));
  EXPECT_TRUE(mentions(refusal("mopps+"), "unknown method ''"));
  // Rules of each method hold in a pair too.
  EXPECT_TRUE(mentions(refusal("mopps+aero", {{"alloc.aero.explore", "9"}}), "alloc.aero.explore"));
  EXPECT_TRUE(mentions(refusal("mopps+aero", {{"alloc.mopps.low", "0.8"}}), "alloc.mopps.low"));
}

// A chooser whose arithmetic fixes the size of a group is refused where the first round differs.
TEST(Pairs, SizesMustAgree) {
  const auto choosers = names_with(Role::Chooser);
  if (std::find(choosers.begin(), choosers.end(), "cero") == choosers.end())
    GTEST_SKIP() << "cero is not registered";
  EXPECT_TRUE(
      mentions(refusal("cero+aero", {{"alloc.group_size", "16"}, {"alloc.aero.explore", "5"}}),
               "aero starts every prompt with 5 rollouts"));
  EXPECT_EQ(refusal("cero+aero", {{"alloc.group_size", "16"}}), "not refused");
}

TEST(Pairs, AreDescribedLikeMethods) {
  const MethodInfo& info = method_info("mopps+aero");
  EXPECT_EQ(info.name, "mopps+aero");
  EXPECT_TRUE(mentions(info.paper, "2507.04632") && mentions(info.paper, "2602.14338"));
  AllocOptions alloc;
  const OptionList options = method_options(alloc, "mopps+aero");
  EXPECT_TRUE(options.find("alloc.mopps.decay") && options.find("alloc.aero.explore"));
  EXPECT_FALSE(options.find("alloc.refill.max_rounds"));
  EXPECT_TRUE(method_options(alloc, "greso+aero").find("alloc.refill.max_rounds"));
  EXPECT_EQ(needs_text(default_needs("mopps+aero")),
            "uniform draws, 16 candidates per group, up to 11 rounds");
}

// The pair chooses as MoPPS does and treats the chosen as AERO does.
TEST(Combination, IsTheChooserThenTheInnerMethod) {
  Script script{ids(1, 64), {}, {}};
  for (const PromptId id : script.candidates) script.outcomes[id] = verdicts(id % 5, 28 - id % 5);
  Controller pair = controller_of("mopps+aero");
  const Played both = play(pair, script, budget_of(8, 64));

  Controller chooser = controller_of("mopps", {{"alloc.group_size", "4"}});
  const Played chosen = play(chooser, script, budget_of(8, 64));
  EXPECT_EQ(prompts_of(both.plans[0]), prompts_of(chosen.plans[0]));

  Script rest = script;
  rest.candidates = prompts_of(chosen.plans[0]);
  Controller inner = controller_of("aero");
  const Played alone = play(inner, rest, budget_of(8, 64));
  ASSERT_EQ(both.plans.size(), alone.plans.size());
  for (std::size_t i = 0; i < both.plans.size(); ++i)
    EXPECT_EQ(prompts_of(both.plans[i]), prompts_of(alone.plans[i]));
  EXPECT_EQ(testing::transcript(both.batch), testing::transcript(alone.batch));
  EXPECT_EQ(both.metrics.at("alloc/mopps+aero/aero/pool_used"),
            alone.metrics.at("alloc/aero/pool_used"));
}

// Beliefs count first-round verdicts alone, whatever the rescue brought: against counts kept here.
TEST(Combination, BeliefsSeeTheFirstRoundOnly) {
  StreamWorld world({.seed = 31, .prompts = 40, .failed = .05, .not_scorable = .05});
  Controller controller = controller_of("mopps+aero");
  std::map<PromptId, std::pair<double, double>> counts;  // right, wrong
  std::uint64_t later = 0;
  for (int i = 0; i < 12; ++i) {
    const DrivenStep step = drive_step(controller, world, budget_of(10, 80));
    std::set<PromptId> chosen;
    double sum = 0;
    for (const Plan& plan : step.plans)
      for (const Issued& issued : plan.generate) {
        if (issued.round > 0) {
          later += issued.n;
          continue;
        }
        EXPECT_TRUE(chosen.insert(issued.prompt).second);
        const auto [right, wrong] = counts[issued.prompt];
        sum += (1 + right) / (2 + right + wrong);
      }
    EXPECT_GT(metric_of_step(step.metrics, "belief/brier"),
              0);  // the chooser's, under its shared name
    EXPECT_NEAR(metric_of_step(step.metrics, "alloc/mopps+aero/mopps/selected_posterior_mean"),
                sum / static_cast<double>(chosen.size()), 1e-12);
    std::map<RolloutId, std::uint32_t> round;
    for (const Plan& plan : step.plans)
      for (const Issued& issued : plan.generate)
        for (std::uint32_t k = 0; k < issued.n; ++k) round[issued.first + k] = issued.round;
    for (const Outcome& outcome : step.reported)
      if (round.at(outcome.id) == 0 && outcome.scoring == Scoring::Scored &&
          outcome.status == Status::Ok)
        ++(outcome.correct ? counts[outcome.prompt].first : counts[outcome.prompt].second);
  }
  EXPECT_GT(later, 50u);
}

TEST(Combination, AChooserThatRefillsStopsAtTheGroupsWanted) {
  Controller controller = controller_of("greso+aero");
  Script script{ids(1, 12), ids(101, 200), {}};
  for (const PromptId id : script.candidates) script.outcomes[id] = verdicts(0, 12);
  const Played first = play(controller, script, budget_of(8, 64));
  EXPECT_EQ(prompts_of(first.plans[0]), ids(1, 8));  // of the 12 that GRESO would roll out
  EXPECT_EQ(first.metrics.at("alloc/greso+aero/greso/share_hard"), 1);
}

TEST(Combination, SkippedPromptsAreReplacedByRefills) {
  const Settings never_again = {{"alloc.greso.p_hard", "0"}, {"alloc.greso.floor", "1e-6"}};
  Controller controller = controller_of("greso+aero", never_again);
  Script script{ids(1, 12), {}, {}};
  // Four wrong at first, then the rescue finds a right one: too hard by the first round.
  for (const PromptId id : script.candidates) {
    script.outcomes[id] = verdicts(0, 4);
    for (const Outcome& outcome : verdicts(2, 2)) script.outcomes[id].push_back(outcome);
  }
  const Played first = play(controller, script, budget_of(8, 64));
  EXPECT_EQ(first.metrics.at("alloc/greso+aero/greso/share_hard"), 1);
  EXPECT_EQ(first.metrics.at("alloc/greso+aero/aero/rescued"), 8);
  script.further = ids(101, 200);
  for (const PromptId id : script.further) script.outcomes[id] = verdicts(2, 2);
  const Played second = play(controller, script, budget_of(8, 64));
  // 9 .. 12 were chosen for the longer draw but never rolled out, so nothing is known of them.
  EXPECT_TRUE(second.plans[0].generate.empty());
  EXPECT_GT(second.plans[0].refill, 0u);
  EXPECT_EQ(prompts_of(second.plans[1]),
            (std::vector<PromptId>{9, 10, 11, 12, 101, 102, 103, 104}));
  EXPECT_EQ(second.metrics.at("alloc/greso+aero/greso/skipped_hard"), 8);
}

TEST(Combination, EndedWhileChoosingAsksForNothing) {
  for (const bool deadline : {false, true}) {
    Controller controller = controller_of("greso+aero");
    const std::vector<PromptRef> shown = {{1}, {2}};
    const Plan plan = controller.plan(shown, budget_of(8, 64), 0);
    EXPECT_TRUE(plan.generate.empty());
    EXPECT_GT(plan.refill, 0u);
    if (deadline) {
      EXPECT_TRUE(controller.observe({}, {}, true).done);
    }
    EXPECT_TRUE(controller.finalize().reports.empty());
    controller.feedback({controller.step()});
    Script script{ids(1, 16), {}, {}};
    for (const PromptId id : script.candidates) script.outcomes[id] = verdicts(2, 2);
    EXPECT_EQ(play(controller, script, budget_of(8, 64)).batch.groups.size(), 8u);
  }
}

// A puppet in front of AERO: chooses prompts 1 .. 4 and wants to hold everything.
class PuppetChooser : public ::testing::Test {
 protected:
  PuppetChooser() {
    puppet_.needs.role = Role::Chooser;
    puppet_.plan = [this](const BatchView& view) {
      budgets_.push_back(view.budget);
      lost_.assign(view.lost.begin(), view.lost.end());
      Decision decision;
      for (const PromptRef& prompt : view.candidates) decision.generate.push_back({prompt.id, 4});
      return decision;
    };
    puppet_.observe = [this](const Events& events) {
      seen_.clear();
      for (const Outcome& outcome : events.outcomes) seen_.push_back(outcome.id);
      deadline_ = events.deadline;
      return Decision{.generate = {{1, 4}}, .refill = 3};
    };
    puppet_.finalize = [this] {
      TrainBatch batch;
      batch.hold = seen_;
      batch.reports.push_back({.prompt = 999});
      return batch;
    };
  }
  Controller controller() {
    return Controller(combine({"puppet", std::make_unique<PuppetMethod>(puppet_)},
                              {"aero", make_method(alloc_options("aero"), {})}),
                      {.method = "puppet+aero", .host = serves_everything()});
  }
  Script script_{
      ids(1, 4),
      {},
      {{1, verdicts(0, 28)}, {2, verdicts(1, 3)}, {3, verdicts(2, 2)}, {4, verdicts(4, 0)}}};
  Puppet puppet_;
  std::vector<Budget> budgets_;
  std::vector<RolloutId> seen_, lost_;
  bool deadline_ = false;
};

TEST_F(PuppetChooser, SeesItsRolloutsAndItsBatchIsDiscarded) {
  Controller c = controller();
  const Played first = play(c, script_, budget_of(4, 22));  // a pool of six for the rescue
  EXPECT_EQ(seen_.size(), 16u);                             // and not the six of the rescue
  EXPECT_TRUE(deadline_);
  EXPECT_EQ(first.requested(1), 10u);
  EXPECT_TRUE(first.batch.hold.empty());
  EXPECT_EQ(first.batch.reports.size(), 4u);
  EXPECT_EQ(puppet_.feedback.size(), 1u);
  const std::vector<RolloutId> held = seen_;
  play(c, script_, budget_of(4, 22), 1);
  EXPECT_EQ(lost_, held);
}

TEST_F(PuppetChooser, RunBudgetIsChargedWithWhatWasSpent) {
  Controller c = controller();
  Budget budget = budget_of(4, 22);
  budget.run_rollouts = 100;
  play(c, script_, budget);
  play(c, script_, budget, 1);
  EXPECT_EQ(budgets_[0].run_rollouts, 100u);
  EXPECT_EQ(budgets_[1].run_rollouts, 100u - 22);
}

TEST_F(PuppetChooser, GetsNoMoreOutcomesThanItAskedFor) {
  puppet_.plan = [](const BatchView& view) {
    Decision decision;
    for (const PromptRef& prompt : view.candidates)
      decision.generate.push_back({prompt.id, static_cast<std::uint32_t>(prompt.id)});
    return decision;
  };
  Controller c = controller();
  play(c, script_, budget_of(4, 16));
  EXPECT_EQ(seen_.size(), 1u + 2 + 3 + 4);
}

}  // namespace
}  // namespace allot
