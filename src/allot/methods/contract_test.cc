// The properties every method must have, over all registered methods and random outcome streams
// (contract, section 14; the numbers of the tests are the numbers there). A method added to the
// registry is covered without a change here.
#include <algorithm>
#include <cmath>
#include <map>
#include <ostream>
#include <set>

#include <gtest/gtest.h>

#include "allot/core/error.h"
#include "allot/core/random.h"
#include "allot/core/testing/outcome_stream.h"
#include "allot/core/zero_cause.h"
#include "allot/methods/pairs.h"
#include "allot/methods/testing/script.h"

namespace allot {
namespace {

using testing::budget_of;
using testing::controller_of;
using testing::drive_step;
using testing::DrivenStep;
using testing::play;
using testing::Played;
using testing::Script;
using testing::Settings;
using testing::StreamSettings;
using testing::StreamWorld;
using testing::verdicts;

constexpr std::uint64_t kDataset = 0xfeed;
constexpr std::uint32_t kDriverGroups = 10, kDriverGroupSize = 8;
constexpr int kDriverSteps = 4;

// A world whose kind depends on the seed: clean or with every way to fail, sharp or shaped rewards,
// room for all held rollouts or for few.
StreamSettings stream(std::uint64_t seed) {
  RandomStream random({seed, RandomUse::Test, 77, 0, 0});
  StreamSettings s;
  s.seed = seed;
  s.prompts = 40 + static_cast<std::uint32_t>(random.below(60));
  if (random.uniform() < 0.7) {
    s.failed = s.truncated = s.not_scorable = 0.06;
    s.verifier_error = s.no_answer = 0.04;
  }
  s.shaping = random.uniform() < 0.3 ? 0.2 : 0;
  s.max_held = random.uniform() < 0.3 ? 20 : 0;
  s.arrivals_per_call = static_cast<std::uint32_t>(random.below(9));
  if (random.uniform() < 0.3)  // every prompt comes back within the run
    s.prompts = 12 + static_cast<std::uint32_t>(random.below(8));
  if (seed % 3 == 1)  // some prompts come with a rate, right or not
    s.prior_pass_rate = [](PromptId id) {
      return id % 4 == 0 ? std::nullopt : std::optional(static_cast<float>(id % 4 - 1) / 2);
    };
  return s;
}

Budget budget() { return budget_of(kDriverGroups, kDriverGroups * kDriverGroupSize); }

std::string run(Controller& controller, StreamSettings settings, const Budget& step_budget) {
  StreamWorld world(std::move(settings));
  const bool by_prompt = controller.needs().grain == Grain::Rollout;
  std::string text;
  for (int i = 0; i < kDriverSteps; ++i) {
    const DrivenStep step = drive_step(controller, world, step_budget);
    text += by_prompt ? transcript_by_prompt(step) : transcript(step);
  }
  return text;
}

// What the method saw of each planned prompt: what was reported before generation ended, and
// nothing of what it had cancelled by then.
std::map<PromptId, std::vector<Outcome>> seen_by_prompt(const DrivenStep& step) {
  std::map<RolloutId, Outcome> reported;
  for (const Outcome& outcome : step.reported) reported[outcome.id] = outcome;
  for (const Plan& plan : step.plans)
    for (const RolloutId id : plan.cancel)
      if (reported.count(id))
        reported[id].status = Status::Cancelled, reported[id].scoring = Scoring::NotScorable;
  std::map<PromptId, std::vector<Outcome>> seen;
  for (const Plan& plan : step.plans)
    for (const Issued& issued : plan.generate)
      for (std::uint32_t i = 0; i < issued.n; ++i) {
        const auto found = reported.find(issued.first + i);
        if (found == reported.end()) continue;
        found->second.round = issued.round;
        seen[issued.prompt].push_back(found->second);
      }
  return seen;
}

// Prompts with a rollout of an earlier step in the batch.
std::set<PromptId> pooled_prompts(const DrivenStep& step) {
  std::set<RolloutId> fresh;
  for (const Outcome& outcome : step.reported) fresh.insert(outcome.id);
  std::set<PromptId> pooled;
  for (const TrainGroup& group : step.batch.groups)
    for (std::uint32_t k = group.first; k < group.first + group.count; ++k)
      if (!fresh.count(step.batch.items[k].rollout)) pooled.insert(group.prompt);
  return pooled;
}

bool is_scored(const Outcome& o) {
  return (o.status == Status::Ok || o.status == Status::Truncated) && o.scoring == Scoring::Scored;
}

// Of a group. Methods that need answer classes make their own rewards: agreement with the majority.
ZeroCause cause_of(const Needs& needs, std::vector<Outcome> outcomes,
                   SingletonBaseline singletons = SingletonBaseline::None) {
  if (!needs.answer_class) return zero_cause(outcomes, 1e-6, singletons);
  std::map<std::int64_t, int> votes;
  for (const Outcome& o : outcomes)
    if (is_scored(o) && o.answer_class >= 0) ++votes[o.answer_class];
  int most = 0, leaders = 0;
  for (const auto& [answer, n] : votes) most = std::max(most, n);
  for (const auto& [answer, n] : votes) leaders += n == most;
  if (leaders > 1) return ZeroCause::Tie;
  for (Outcome& o : outcomes) {
    o.parsed = o.answer_class >= 0;
    o.correct = o.parsed && votes[o.answer_class] == most && is_scored(o);
    o.reward = o.correct;
  }
  return zero_cause(outcomes, 1e-6, singletons);
}

bool mixed_verdicts(const std::vector<Outcome>& outcomes) {
  std::set<bool> seen;
  for (const Outcome& outcome : outcomes)
    if (is_scored(outcome)) seen.insert(outcome.correct);
  return seen.size() == 2;
}

// Which outcomes feed a method's belief: those of the first request, or all of them where the
// method declares that its posterior is right under its stopping rule (contract, section 5).
bool counts(const std::string& method, const Outcome& o) {
  return is_scored(o) && (o.round == 0 || method == "evidence");
}

double metric(const std::vector<Metric>& metrics, const std::string& name) {
  for (const Metric& metric : metrics)
    if (metric.name == name) return metric.value;
  ADD_FAILURE() << "no metric " << name;
  return NAN;
}

// A method or pair, and the setting that makes it another method; most have none.
struct Contender {
  std::string method;
  Settings always;
};

void PrintTo(const Contender& contender, std::ostream* out) {
  *out << contender.method;
  for (const auto& [key, value] : contender.always) *out << " " << key << "=" << value;
}

class MethodContract : public ::testing::TestWithParam<Contender> {
 protected:
  const std::string& method() const { return GetParam().method; }
  Controller make(std::uint64_t seed, Settings settings = {}) {
    settings.insert(settings.end(), GetParam().always.begin(), GetParam().always.end());
    return controller_of(method(), settings, seed);
  }
  // Treats an earlier rollout as one of the trained policy.
  bool recomputes_by_default() const {
    const std::string last = parts_of(method()).back();
    return last == "speed" || last == "ar3po";
  }
};

std::vector<Settings> variants() {
  return {{},
          {{"alloc.group_size", "4"}},
          {{"adv.estimator", "leave_one_out"}},
          {{"adv.scale", "batch"}},
          {{"adv.scale", "whiten"}},
          {{"adv.estimator", "pass_at_k"}}};
}

// 3 and 7: same seed and outcomes, same decisions; when a rollout finishes changes nothing.
TEST_P(MethodContract, DecisionsDependOnSeedAndOutcomesAlone) {
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    const Settings settings = variants()[seed % variants().size()];
    StreamSettings world = stream(seed);
    Controller first = make(seed, settings);
    const std::string expected = run(first, world, budget());
    Controller again = make(seed, settings);
    EXPECT_EQ(run(again, world, budget()), expected);
    for (const std::uint32_t per_call : {0u, 1u, 7u}) {
      world.arrival_seed += 1000 + seed;
      world.arrivals_per_call = per_call;
      Controller other = make(seed, settings);
      EXPECT_EQ(run(other, world, budget()), expected) << "seed " << seed;
    }
  }
}

// 4: a reload at any event changes nothing that follows.
TEST_P(MethodContract, ResumesAtEveryEvent) {
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    const Settings settings = variants()[seed % variants().size()];
    StreamSettings world = stream(seed);
    Controller uninterrupted = make(seed, settings);
    const std::string expected = run(uninterrupted, world, budget());
    int reloads = 0;
    world.at_event = [&](Controller& controller) {
      Controller fresh = make(seed, settings);
      const std::string blob = controller.save(kDataset);
      fresh.load(blob, kDataset);
      EXPECT_EQ(fresh.save(kDataset), blob);
      controller = std::move(fresh);
      ++reloads;
    };
    Controller interrupted = make(seed, settings);
    EXPECT_EQ(run(interrupted, world, budget()), expected) << "seed " << seed;
    EXPECT_GE(reloads, 4 * kDriverSteps);
  }
}

TEST_P(MethodContract, RefusesTheStateOfAnotherDataSetAndDamage) {
  StreamWorld world(stream(1));
  Controller controller = make(1);
  drive_step(controller, world, budget());
  const std::string blob = controller.save(kDataset);
  Controller fresh = make(1);
  EXPECT_THROW(fresh.load(blob, kDataset + 1), Error);
  for (std::size_t cut = 0; cut < blob.size(); cut += 1 + blob.size() / 50) {
    Controller other = make(1);
    EXPECT_THROW(other.load(blob.substr(0, cut), kDataset), Error) << cut;
  }
  // The method's own blob, truncated at every length.
  const AllocOptions alloc = testing::alloc_options(method(), GetParam().always);
  const std::string own = make_method(alloc, {})->save();
  for (std::size_t cut = 0; cut < own.size(); ++cut)
    EXPECT_THROW(make_method(alloc, {})->load(std::string_view(own).substr(0, cut), kDataset),
                 Error);
}

// 5: finalize() after any prefix; what was accepted by then is shipped, held, or there was no room.
TEST_P(MethodContract, DeadlineAtAnyEventLosesNoAcceptedGroup) {
  for (std::uint64_t seed = 0; seed < 8; ++seed)
    for (std::uint32_t calls = 0; calls < 14; ++calls) {
      StreamSettings settings = stream(seed);
      settings.deadline_after = calls;
      settings.max_held = 0;
      StreamWorld world(settings);
      // At a price of 0 evidence accepts every group with a signal.
      Controller controller = make(seed, {{"alloc.evidence.first_price", "0"}});
      const DrivenStep step = drive_step(controller, world, budget());
      std::set<PromptId> shipped, held;
      for (const TrainGroup& group : step.batch.groups) shipped.insert(group.prompt);
      for (const RolloutId id : step.batch.hold) held.insert(world.rollouts().at(id).prompt);
      const bool full = step.batch.groups.size() >= kDriverGroups;
      for (const auto& [prompt, outcomes] : seen_by_prompt(step)) {
        if (cause_of(controller.needs(), outcomes) != ZeroCause::None) continue;
        // A screening looks at verdicts alone: one that differs only in shaped rewards is dropped.
        if (method() == "speed" && !mixed_verdicts(outcomes)) continue;
        EXPECT_TRUE(shipped.count(prompt) || held.count(prompt) || full) << prompt;
      }
      drive_step(controller, world, budget());  // and the next step works
    }
}

TEST_P(MethodContract, FinalizesAfterPlanWithoutAnyEvent) {
  Controller controller = make(1);
  const float embedding[] = {1};
  const std::vector<PromptRef> shown = {{1, 0, embedding}, {2, 0, embedding}, {3, 0, embedding}};
  controller.plan(shown, budget_of(3, 24), 0);
  const TrainBatch batch = controller.finalize();
  EXPECT_TRUE(batch.items.empty());
  for (const GroupReport& report : batch.reports)
    EXPECT_EQ(report.cause, ZeroCause::GenerationFailed);
}

// 8: what is shipped exists, was scored, belongs to the group's prompt and is new or held.
TEST_P(MethodContract, ShipsOnlyWhatItMay) {
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    StreamWorld world(stream(seed));
    Controller controller = make(seed, variants()[seed % variants().size()]);
    for (int i = 0; i < kDriverSteps; ++i) {
      const std::set<RolloutId> held(world.held().begin(), world.held().end());
      const DrivenStep step = drive_step(controller, world, budget());
      for (const TrainGroup& group : step.batch.groups)
        for (std::uint32_t k = group.first; k < group.first + group.count; ++k) {
          const TrainItem& item = step.batch.items.at(k);
          const Outcome& rollout = world.rollouts().at(item.rollout);
          EXPECT_EQ(rollout.prompt, group.prompt);
          EXPECT_TRUE(is_scored(rollout));
          const bool old = held.count(item.rollout) > 0;
          EXPECT_TRUE(rollout.behaviour == step.policy || old);
          EXPECT_TRUE(!old || controller.needs().hold);
          EXPECT_TRUE(rollout.behaviour == step.policy || item.anchor == Anchor::Behaviour ||
                      recomputes_by_default());
        }
    }
  }
}

// Methods whose advantages compare the rollouts of a group.
const std::set<std::string> kGroupNorm = {
    "grpo",  "dapo",  "cero",  "knapsack",       "coba",    "vip", "dynamic_pruning",
    "mopps", "greso", "speed", "rollout_bandit", "evidence"};

// 9: without any spread there is either no item or, from a posterior, an advantage.
TEST_P(MethodContract, OneSidedGroupsAreLeftOutOrHaveABaseline) {
  for (const double rate : {0.0, 1.0}) {
    StreamWorld world({.seed = 3, .prompts = 60, .pass_rate = [=](PromptId) { return rate; }});
    Controller controller = make(3);
    // Wrong answers differ from each other: a majority of them is a spread.
    if (controller.needs().answer_class && rate == 0) continue;
    const DrivenStep step = drive_step(controller, world, budget());
    const bool group_norm = kGroupNorm.count(method()) > 0;
    const bool posterior = parts_of(method()).back() == "aero";
    EXPECT_TRUE(!group_norm || step.batch.items.empty());
    EXPECT_TRUE(!posterior || !step.batch.items.empty());
    for (const TrainItem& item : step.batch.items)
      EXPECT_TRUE(rate == 0 ? item.advantage < 0 : item.advantage > 0);
  }
}

// 10: a group's advantages do not depend on the groups beside it, whatever their sizes.
TEST_P(MethodContract, GroupsOfAnySizeStandAlone) {
  Script all{{1, 2, 3, 8}, {}, {}};  // a prompt's id is its number of scored rollouts
  for (const PromptId size : all.candidates) {
    auto outcomes = verdicts(0, 128);
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      outcomes[i].answer_class = i % 3 == 0;
      outcomes[i].reward = i % 3 == 0;
      outcomes[i].correct = i % 3 == 0;
      if (i >= size) outcomes[i].scoring = Scoring::NotScorable;
    }
    all.outcomes[size] = outcomes;
  }
  // With prompt noise evidence does not ask for so many rollouts of one prompt.
  const Settings settings = {{"alloc.group_size", "16"}, {"alloc.evidence.prompt_noise", "0"}};
  Controller together = make(5, settings);
  // PODS generates four times what it keeps; a chooser before it counts on that.
  const std::uint64_t rollouts = parts_of(method()).back() == "pods" ? 256 : 64;
  const Played batch = play(together, all, budget_of(4, rollouts));
  EXPECT_EQ(batch.report(1).counted_n, 1u);
  EXPECT_EQ(batch.report(8).counted_n, 8u);
  std::size_t compared = 0;
  for (const PromptId prompt : all.candidates) {
    Script one = all;
    one.candidates = {prompt};
    Controller alone = make(5, settings);
    const Played single = play(alone, one, budget_of(1, rollouts));
    EXPECT_EQ(batch.advantages(prompt), single.advantages(prompt)) << prompt;
    EXPECT_EQ(batch.kept(prompt), single.kept(prompt));
    compared += single.advantages(prompt).size();
  }
  EXPECT_GT(compared, 6u);
}

// 11: rewards that are missing count nowhere; every planned prompt has one report and one cause.
TEST_P(MethodContract, MissingRewardsCountNowhere) {
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    StreamSettings settings = stream(seed);
    settings.not_scorable = settings.verifier_error = 0.25;
    StreamWorld world(settings);
    Controller controller = make(seed);
    for (int i = 0; i < kDriverSteps; ++i) {
      std::set<PromptId> pooled;  // with rollouts of earlier steps
      for (const RolloutId id : world.held()) pooled.insert(world.rollouts().at(id).prompt);
      const DrivenStep step = drive_step(controller, world, budget());
      const auto seen = seen_by_prompt(step);
      pooled.merge(pooled_prompts(step));
      std::set<PromptId> reported;
      for (const GroupReport& report : step.batch.reports) {
        EXPECT_TRUE(reported.insert(report.prompt).second);
        const auto& outcomes = seen.at(report.prompt);
        std::uint32_t n = 0, correct = 0;
        for (const Outcome& outcome : outcomes)
          if (counts(method(), outcome)) ++n, correct += outcome.correct;
        EXPECT_EQ(report.counted_n, n);
        EXPECT_EQ(report.counted_sum, static_cast<float>(correct));
        if (pooled.count(report.prompt)) continue;  // the cause is not of these outcomes alone
        const ZeroCause cause =
            cause_of(controller.needs(), outcomes,
                     report.shipped > 0 ? SingletonBaseline::Exists : SingletonBaseline::None);
        EXPECT_EQ(report.cause, cause) << name(report.cause) << " " << name(cause);
      }
      EXPECT_EQ(reported.size(), seen.size());
    }
  }
}

TEST_P(MethodContract, PoolStatisticsAreThoseOfTheScoredRollouts) {
  StreamSettings settings = stream(4);
  settings.not_scorable = 0.2;
  StreamWorld world(settings);
  Controller controller = make(4);
  std::size_t compared = 0;
  for (int i = 0; i < kDriverSteps; ++i) {
    const DrivenStep step = drive_step(controller, world, budget());
    const auto seen = seen_by_prompt(step);
    const std::set<PromptId> pooled = pooled_prompts(step);
    for (const TrainGroup& group : step.batch.groups) {
      if (pooled.count(group.prompt)) continue;
      double sum = 0, n = 0;
      for (const Outcome& outcome : seen.at(group.prompt))
        if (is_scored(outcome)) sum += outcome.reward, ++n;
      EXPECT_EQ(group.pool_n, n);
      EXPECT_FLOAT_EQ(group.pool_mean, static_cast<float>(sum / n));
      ++compared;
    }
  }
  EXPECT_GT(compared, 0u);
}

// 12: the mean of first-round rewards estimates the pass rate, whatever the method does later.
TEST_P(MethodContract, FirstRoundRewardIsUnbiased) {
  constexpr double kRate = 0.3;
  StreamWorld world({.seed = 9, .prompts = 4000, .pass_rate = [](PromptId) { return kRate; }});
  Controller controller = make(9);
  constexpr int kRuns = 25;
  double mean = 0, rollouts = 0;
  for (int i = 0; i < kRuns; ++i) {
    const DrivenStep step = drive_step(controller, world, budget_of(100, 800));
    if (step.reported.empty()) continue;  // all from surplus
    double n = 0;
    for (const Plan& plan : step.plans)
      for (const Issued& issued : plan.generate) n += issued.round == 0 ? issued.n : 0;
    mean += n * metric(step.metrics, "reward/first_round");
    rollouts += n;
  }
  ASSERT_GT(rollouts, 5000);
  const double deviation = std::sqrt(kRate * (1 - kRate) / rollouts);
  EXPECT_NEAR(mean / rollouts, kRate, 4 * deviation);
}

// 14: caps and exhaustion degrade a plan; they never throw and are never exceeded.
TEST_P(MethodContract, StaysWithinHardCaps) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    RandomStream random({seed, RandomUse::Test, 78, 0, 0});
    StreamWorld world(stream(seed));
    Controller controller = make(seed);
    Budget capped = budget();
    capped.max_tokens = world.settings().max_tokens;
    if (seed % 2 == 0) capped.hard_rollouts = random.below(120);
    if (seed % 3 == 0) capped.hard_tokens = random.below(120) * capped.max_tokens;
    if (seed % 5 == 0) capped.run_rollouts = random.below(300);
    std::uint64_t spent = 0;
    for (int i = 0; i < kDriverSteps; ++i) {
      const DrivenStep step = drive_step(controller, world, capped);
      std::uint64_t tokens = 0;
      for (const Outcome& outcome : step.reported) tokens += outcome.tokens;
      spent += step.reported.size();
      EXPECT_LE(step.reported.size(), capped.hard_rollouts.value_or(1u << 30));
      EXPECT_LE(tokens, capped.hard_tokens.value_or(1u << 30));
      EXPECT_LE(spent, capped.run_rollouts.value_or(1u << 30));
    }
  }
}

TEST_P(MethodContract, ExhaustedSourceIsNoError) {
  for (const std::uint32_t prompts : {0u, 1u, 3u, 12u})
    for (const std::uint32_t refills : {0u, 1u}) {
      StreamWorld world({.seed = 6, .prompts = prompts, .refills = refills});
      Controller controller = make(6);
      for (int i = 0; i < kDriverSteps; ++i) {
        const DrivenStep step = drive_step(controller, world, budget());
        EXPECT_LE(step.batch.reports.size(), prompts);
      }
    }
}

// Every method and every legal pair.
std::vector<Contender> contenders() {
  std::vector<Contender> all;
  for (const std::string& name : method_names()) all.push_back({name, {}});
  for (const MethodInfo& info : combinations()) all.push_back({info.name, {}});
  all.push_back({"evidence", {{"alloc.evidence.prior", "embedding"}}});
  return all;
}

INSTANTIATE_TEST_SUITE_P(All, MethodContract, ::testing::ValuesIn(contenders()),
                         [](const auto& info) {
                           std::string name = info.param.method;
                           const std::size_t plus = name.find('+');
                           if (plus != name.npos) name.replace(plus, 1, "_and_");
                           for (const auto& [key, value] : info.param.always) name += "_" + value;
                           return name;
                         });

}  // namespace
}  // namespace allot
