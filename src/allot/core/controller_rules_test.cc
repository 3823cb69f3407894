// Every rule of the Controller that a host or a method can break, one at a time.
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "allot/core/controller.h"
#include "allot/core/error.h"
#include "allot/core/testing/outcome_stream.h"
#include "allot/core/testing/puppet_method.h"

namespace allot::testing {
namespace {

template <class Call>
std::string message_of(Call call, ErrorKind kind = ErrorKind::Internal) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind);
    return error.what();
  }
  return "(no error)";
}

#define EXPECT_SAYS(expression, part)                                               \
  do {                                                                              \
    const std::string text = message_of([&] { (expression); });                     \
    EXPECT_NE(text.find(part), std::string::npos) << (part) << " not in: " << text; \
  } while (false)

Outcome outcome(RolloutId id, PromptId prompt, bool correct = true) {
  return {
      .id = id, .prompt = prompt, .reward = correct ? 1.f : 0.f, .correct = correct, .tokens = 5};
}

class Rules : public ::testing::Test {
 protected:
  Controller make(const HostTraits& host = serves_everything()) {
    return Controller(std::make_unique<PuppetMethod>(puppet), {.method = "puppet", .host = host});
  }
  // Asks for n rollouts of prompt 1 in plan(), and reports it in finalize().
  void ask(std::uint32_t n) {
    puppet.plan = [n](const BatchView&) { return Decision{.generate = {{.prompt = 1, .n = n}}}; };
    puppet.finalize = [] { return TrainBatch{.reports = {{.prompt = 1}}}; };
  }
  void answer(const Decision& decision) {
    puppet.observe = [decision](const Events&) { return decision; };
  }

  Puppet puppet;
  std::vector<PromptRef> prompts{{1}, {2}};
};

TEST_F(Rules, AHostThatCannotServeIsRefusedWithEveryMissingNeed) {
  puppet.needs = {.grain = Grain::Rollout, .cancel = true, .hold = true};
  const std::string text = message_of([&] { make({}); }, ErrorKind::Config);
  for (const char* part : {"'puppet'", "'rollout'", "'round'", "cancel", "hold"})
    EXPECT_NE(text.find(part), std::string::npos) << part << " not in: " << text;
  EXPECT_SAYS(Controller(nullptr, {}), "no method");
}

TEST_F(Rules, VerbsComeInOrder) {
  Controller c = make();
  EXPECT_SAYS(c.observe({}), "plan() comes first");
  EXPECT_SAYS(c.finalize(), "plan() comes first");
  EXPECT_SAYS(c.feedback({}), "no finalized step");
  c.plan(prompts, {}, 0);
  EXPECT_SAYS(c.plan(prompts, {}, 0), "still open");
  c.finalize();
  EXPECT_SAYS(c.observe({}), "plan() comes first");
  EXPECT_SAYS(c.feedback({.step = 1}), "step 0 waits");
  EXPECT_SAYS(c.feedback({.step = 0, .before = 2, .after = 1}), "fell");
  EXPECT_SAYS(c.feedback({.step = 0, .updated = true}), "batch was empty");
  EXPECT_SAYS(c.feedback({.step = 0, .items = {{7}}}), "rollout 7");
  Feedback spoilt{.step = 0};
  spoilt.probe.groups = {{.5, -.5, .25, .25, 1, std::numeric_limits<double>::infinity(), 0}};
  EXPECT_SAYS(c.feedback(spoilt), "probed gradient");
  EXPECT_TRUE(puppet.feedback.empty());
  c.feedback({.step = 0});
  EXPECT_SAYS(c.feedback({.step = 0}), "no finalized step");
  EXPECT_EQ(puppet.feedback.size(), 1u);
}

TEST_F(Rules, ARefusedCallOfTheHostChangesNothing) {
  ask(3);
  puppet.needs.refill = true;
  answer({.refill = 1});
  Controller c = make();
  const std::vector<PromptRef> twice{{1}, {1}}, large{{PromptId{1} << 63}};
  const std::string before = c.save(0);
  EXPECT_SAYS(c.plan(twice, {}, 0), "shown twice");
  EXPECT_SAYS(c.plan(large, {}, 0), "below 2^63");
  EXPECT_SAYS(c.plan(prompts, {}, 0, std::vector<RolloutId>{4}), "not held");
  EXPECT_NE(message_of([&] { c.plan(prompts, {.hard_tokens = 5}, 0); }, ErrorKind::Config)
                .find("hard_tokens"),
            std::string::npos);
  EXPECT_EQ(c.save(0), before);

  c.plan(prompts, {.max_tokens = 9}, 0);
  c.observe(std::vector{outcome(1, 1), outcome(2, 1), outcome(3, 1)});
  const std::string open = c.save(0);
  EXPECT_SAYS(c.observe(std::vector{outcome(4, 1)}, std::vector<PromptRef>{{3}}), "not asked for");
  EXPECT_SAYS(c.observe(std::vector{outcome(1, 1)}), "reported before");
  EXPECT_SAYS(c.observe({}, std::vector<PromptRef>{{2}}), "shown twice");
  EXPECT_SAYS(c.observe({}, std::vector<PromptRef>{{3}, {4}}), "1 were wished for");
  EXPECT_EQ(c.save(0), open);
}

TEST_F(Rules, PolicyVersionsNeverFall) {
  Controller c = make();
  c.plan(prompts, {}, 3);
  c.finalize();
  c.feedback({.step = 0});
  EXPECT_SAYS(c.plan(prompts, {}, 2), "version 2 was given after version 3");
}

TEST_F(Rules, WhatComesWithAPromptIsChecked) {
  prompts[1].prior_pass_rate = 1.5f;
  EXPECT_SAYS(make().plan(prompts, {}, 0), "prompt 2 has the prior pass rate 1.5");
  puppet.needs.embedding = true;
  EXPECT_SAYS(make().plan(prompts, {}, 0), "no embedding");
}

TEST_F(Rules, FurtherPromptsAnswerAWish) {
  ask(1);
  Controller c = make();
  c.plan(prompts, {}, 0);
  EXPECT_SAYS(c.observe({}, std::vector<PromptRef>{{3}}), "0 were wished for");
}

TEST_F(Rules, RequestsNamePromptsThatWereShown) {
  puppet.plan = [](const BatchView&) { return Decision{.generate = {{.prompt = 5, .n = 1}}}; };
  Controller c = make();
  EXPECT_SAYS(c.plan(prompts, {}, 0), "[method puppet] a request names prompt 5");
}

TEST_F(Rules, APromptOfAnEarlierStepMayBeContinued) {
  ask(1);
  puppet.needs.hold = true;
  Controller c = make();
  c.plan(prompts, {}, 0);
  c.observe(std::vector{outcome(1, 1)});
  c.finalize();
  c.feedback({.step = 0});
  const Plan plan = c.plan(std::vector<PromptRef>{{2}}, {}, 0);  // prompt 1 is not shown now
  EXPECT_EQ(plan.generate.at(0).prompt, 1u);
  EXPECT_EQ(plan.generate.at(0).first, 2u);
  EXPECT_EQ(plan.generate.at(0).first_seq, 0u);
}

TEST_F(Rules, RoundsAreBounded) {
  ask(1);
  puppet.needs.max_rounds = 2;
  answer({.generate = {{.prompt = 1, .n = 1}}});
  Controller c = make();
  c.plan(prompts, {}, 0);
  EXPECT_EQ(c.observe(std::vector{outcome(1, 1)}).generate.at(0).round, 1u);
  EXPECT_SAYS(c.observe(std::vector{outcome(2, 1)}), "Needs::max_rounds is 2");
}

TEST_F(Rules, HardCapsAreNeverExceeded) {
  ask(5);
  EXPECT_SAYS(make().plan(prompts, {.hard_rollouts = 4}, 0), "[method puppet] a request for 5");
  EXPECT_SAYS(make().plan(prompts, {.run_rollouts = 4}, 0), "run_rollouts");
  EXPECT_SAYS(make().plan(prompts, {.hard_tokens = 49, .max_tokens = 10}, 0), "hard_tokens");
  EXPECT_EQ(make().plan(prompts, {.hard_tokens = 50, .max_tokens = 10}, 0).generate.size(), 1u);
}

TEST_F(Rules, UndeclaredWishesAreRefused) {
  ask(1);
  Controller c = make();
  c.plan(prompts, {}, 0);
  answer({.cancel = {1}});
  EXPECT_SAYS(c.observe(std::vector{outcome(1, 1)}), "Needs::cancel");
}

TEST_F(Rules, CancellingWhatWasNeverAskedIsRefused) {
  ask(1);
  puppet.needs.cancel = true;
  answer({.cancel = {2}});
  Controller c = make();
  c.plan(prompts, {}, 0);
  EXPECT_SAYS(c.observe(std::vector{outcome(1, 1)}), "nothing was asked of it");
}

TEST_F(Rules, AskingAgainAfterAnEmptyAnswerIsRefused) {
  ask(1);
  puppet.needs.refill = true;
  answer({.refill = 2});
  Controller c = make();
  c.plan(prompts, {}, 0);
  EXPECT_EQ(c.observe(std::vector{outcome(1, 1)}).refill, 2u);
  EXPECT_SAYS(c.observe({}), "exhausted");
}

TEST_F(Rules, APartialAnswerAllowsAnotherWishAndANewStepTriesAgain) {
  ask(1);
  puppet.needs.refill = true;
  answer({.refill = 2});
  Controller c = make();
  c.plan(prompts, {}, 0);
  c.observe(std::vector{outcome(1, 1)});
  EXPECT_EQ(c.observe({}, std::vector<PromptRef>{{3}}).refill, 2u);
  answer({});
  c.observe({});
  c.finalize();
  c.feedback({.step = 0});
  answer({.refill = 2});
  c.plan(prompts, {}, 0);
  EXPECT_EQ(c.observe(std::vector{outcome(2, 1)}).refill, 2u);
}

// While a wish is open, outcomes wait: alone or together with the answer they come after it.
TEST_F(Rules, TheAnswerToAWishComesBeforeOutcomes) {
  puppet.needs = {.grain = Grain::Rollout, .refill = true};
  puppet.plan = [](const BatchView&) {
    return Decision{.generate = {{.prompt = 1, .n = 2}}, .refill = 1};
  };
  std::vector<std::string> events;
  puppet.observe = [&](const Events& e) {
    events.push_back(concat(e.outcomes.size(), " outcomes, ", e.prompts.size(), " prompts"));
    return Decision{};
  };
  Controller c = make();
  EXPECT_EQ(c.plan(prompts, {}, 0).refill, 1u);
  c.observe(std::vector{outcome(2, 1), outcome(1, 1)}, std::vector<PromptRef>{{3}});
  EXPECT_EQ(events, (std::vector<std::string>{"0 outcomes, 1 prompts", "1 outcomes, 0 prompts",
                                              "1 outcomes, 0 prompts"}));
}

// A wish made in the middle of what has arrived stops the delivery until it is answered.
TEST_F(Rules, OutcomesWaitWhileAWishIsOpen) {
  puppet.needs = {.grain = Grain::Rollout, .refill = true};
  ask(3);
  std::vector<std::string> events;
  puppet.observe = [&](const Events& e) {
    events.push_back(e.outcomes.empty() ? "prompts" : concat("rollout ", e.outcomes[0].id));
    return Decision{.refill = events.size() == 1 ? 1u : 0u};
  };
  Controller c = make();
  c.plan(prompts, {}, 0);
  EXPECT_EQ(c.observe(std::vector{outcome(1, 1), outcome(2, 1), outcome(3, 1)}).refill, 1u);
  EXPECT_EQ(events, std::vector<std::string>{"rollout 1"});
  c.observe({}, std::vector<PromptRef>{{3}});
  EXPECT_EQ(events, (std::vector<std::string>{"rollout 1", "prompts", "rollout 2", "rollout 3"}));
}

TEST_F(Rules, ExhaustionIsRememberedAcrossAReload) {
  puppet.needs = {.max_rounds = 2, .refill = true};
  ask(1);
  puppet.observe = [](const Events& e) {
    if (e.outcomes.empty()) return Decision{.generate = {{.prompt = 1, .n = 1}}};
    return Decision{.refill = 1};
  };
  Controller c = make();
  c.plan(prompts, {}, 0);
  c.observe(std::vector{outcome(1, 1)});
  c.observe({});
  Controller fresh = make();
  fresh.load(c.save(0), 0);
  EXPECT_SAYS(fresh.observe(std::vector{outcome(2, 1)}), "exhausted");
}

TEST_F(Rules, BudgetLeftIsShownAtEveryCall) {
  puppet.needs = {.grain = Grain::Rollout};
  std::vector<std::uint64_t> tokens, rollouts;
  puppet.plan = [&](const BatchView& view) {
    tokens.push_back(*view.budget.hard_tokens);
    return Decision{.generate = {{.prompt = 1, .n = 3}}};
  };
  puppet.observe = [&](const Events& e) {
    tokens.push_back(*e.left.hard_tokens);
    rollouts.push_back(e.left.rollouts);
    return Decision{};
  };
  Controller c = make();
  c.plan(prompts, {.rollouts = 8, .hard_tokens = 100, .max_tokens = 20}, 0);
  c.observe(std::vector{outcome(3, 1), outcome(2, 1)});  // wait for the first: nothing returns yet
  EXPECT_EQ(tokens, (std::vector<std::uint64_t>{100}));
  c.observe(std::vector{outcome(1, 1)});
  EXPECT_EQ(tokens, (std::vector<std::uint64_t>{100, 55, 70, 85}));
  EXPECT_EQ(rollouts, (std::vector<std::uint64_t>{5, 5, 5}));
}

TEST_F(Rules, ADeadlineShowsEverythingAndDropsFurtherRequests) {
  puppet.needs = {.max_rounds = 9, .refill = true};
  ask(3);
  std::vector<Status> seen;
  puppet.observe = [&](const Events& e) {
    EXPECT_TRUE(e.deadline);
    for (const Outcome& o : e.outcomes) seen.push_back(o.status);
    return Decision{.generate = {{.prompt = 1, .n = 4}}, .refill = 5};
  };
  Controller c = make();
  c.plan(prompts, {.max_tokens = 9}, 0);
  const Plan plan = c.observe(std::vector{outcome(2, 1)}, {}, true);
  EXPECT_EQ(seen, (std::vector<Status>{Status::Cancelled, Status::Ok, Status::Cancelled}));
  EXPECT_TRUE(plan.done);
  EXPECT_TRUE(plan.generate.empty());
  EXPECT_EQ(plan.refill, 0u);
  EXPECT_EQ(plan.cancel, (std::vector<RolloutId>{1, 3}));
  EXPECT_TRUE(c.observe(std::vector{outcome(3, 1)}).done);  // too late, accepted, not shown
  EXPECT_EQ(seen.size(), 3u);
  EXPECT_SAYS(c.observe(std::vector{outcome(3, 1)}), "reported before");
  c.finalize();
}

TEST_F(Rules, AnIdleDeadlineIsOneEmptyEvent) {
  int calls = 0;
  puppet.observe = [&](const Events& e) {
    ++calls;
    EXPECT_TRUE(e.deadline && e.outcomes.empty() && e.prompts.empty());
    return Decision{};
  };
  Controller c = make();
  EXPECT_FALSE(c.plan(prompts, {}, 0).done);
  EXPECT_TRUE(c.observe({}, {}, true).done);
  EXPECT_TRUE(c.observe({}, {}, true).done);
  EXPECT_EQ(calls, 1);
}

TEST_F(Rules, ADeadlineDuringAWishStillShowsTheOutcomes) {
  puppet.needs = {.grain = Grain::Rollout, .refill = true};
  puppet.plan = [](const BatchView&) {
    return Decision{.generate = {{.prompt = 1, .n = 2}}, .refill = 1};
  };
  std::size_t seen = 0;
  puppet.observe = [&](const Events& e) {
    seen += e.outcomes.size();
    return Decision{};
  };
  Controller c = make();
  c.plan(prompts, {}, 0);
  EXPECT_TRUE(c.observe(std::vector{outcome(1, 1)}, {}, true).done);
  EXPECT_EQ(seen, 2u);
}

TEST_F(Rules, DoneEndsTheStepWithRolloutsOutstanding) {
  puppet.needs = {.grain = Grain::Rollout};
  ask(4);
  int calls = 0;
  puppet.observe = [&](const Events&) {
    ++calls;
    return Decision{.done = true};
  };
  Controller c = make();
  c.plan(prompts, {.max_tokens = 9}, 0);
  const Plan plan = c.observe(std::vector{outcome(1, 1), outcome(2, 1)});
  EXPECT_EQ(calls, 1);
  EXPECT_TRUE(plan.done);
  EXPECT_EQ(plan.cancel, (std::vector<RolloutId>{3, 4}));
  c.finalize();
  double generated = 0, discarded = 0, tokens = 0;
  for (const Metric& metric : c.metrics()) {
    if (metric.name == "rollouts/generated") generated = metric.value;
    if (metric.name == "rollouts/discarded") discarded = metric.value;
    if (metric.name == "tokens/generated") tokens = metric.value;
  }
  EXPECT_EQ(generated, 4);
  EXPECT_EQ(discarded, 4);
  EXPECT_EQ(tokens, 5 + 5 + 9 + 9);
}

TEST_F(Rules, PlanMayBeDoneAtOnce) {
  puppet.plan = [](const BatchView&) { return Decision{.done = true}; };
  Controller c = make();
  EXPECT_TRUE(c.plan(prompts, {}, 0).done);
  EXPECT_TRUE(c.finalize().items.empty());
}

TEST_F(Rules, ABatchIsCheckedAndTheMethodNamed) {
  ask(2);
  Controller c = make();
  c.plan(prompts, {}, 0);
  c.observe(std::vector{outcome(1, 1)});
  puppet.finalize = [] {
    return TrainBatch{.items = {{1, 1}}, .groups = {{1, 0, 1}}, .reports = {{1, 0, 0, true, 1}}};
  };
  // Reported by the host, but the round is not complete: the method cannot know rollout 1.
  EXPECT_SAYS(c.finalize(), "[method puppet] the item of rollout 1");
}

TEST_F(Rules, LostRolloutsCanNoLongerBeNamed) {
  puppet.needs.hold = true;
  ask(2);
  Controller c = make();
  c.plan(prompts, {}, 0);
  c.observe(std::vector{outcome(1, 1), outcome(2, 1, false)});
  puppet.finalize = [] { return TrainBatch{.reports = {{.prompt = 1}}, .hold = {1, 2}}; };
  c.finalize();
  c.feedback({.step = 0});

  std::vector<RolloutId> told;
  puppet.plan = [&](const BatchView& view) {
    told.assign(view.lost.begin(), view.lost.end());
    return Decision{.done = true};
  };
  EXPECT_SAYS(c.plan(prompts, {}, 0, std::vector<RolloutId>{2, 2}), "not held");
  c.plan(prompts, {}, 0, std::vector<RolloutId>{2});
  EXPECT_EQ(told, std::vector<RolloutId>{2});
  puppet.finalize = [] { return TrainBatch{.items = {{2, 1}}, .groups = {{1, 0, 1}}}; };
  EXPECT_SAYS(c.finalize(), "neither handed out in this step nor is held");
  puppet.finalize = [] { return TrainBatch{.items = {{1, 1}}, .groups = {{1, 0, 1}}}; };
  EXPECT_EQ(c.finalize().items.size(), 1u);
}

TEST_F(Rules, CausesAreFilledInUnlessTheGroupSpansSteps) {
  puppet.needs.hold = true;
  ask(2);
  Controller c = make();
  const std::vector<Outcome> wrong{outcome(1, 1, false), outcome(2, 1, false)};
  c.plan(prompts, {}, 0);
  c.observe(wrong);
  puppet.finalize = [] { return TrainBatch{.reports = {{.prompt = 1}}, .hold = {1}}; };
  EXPECT_EQ(c.finalize().reports.at(0).cause, ZeroCause::AllWrong);
  EXPECT_EQ(c.record(1)->last_cause, ZeroCause::AllWrong);
  c.feedback({.step = 0});

  c.plan(prompts, {}, 0);
  c.observe(std::vector{outcome(3, 1), outcome(4, 1)});
  puppet.finalize = [] {
    return TrainBatch{.items = {{1, -1}, {3, 1}, {4, 1}},
                      .groups = {{1, 0, 3}},
                      .reports = {{1, 0, 0, true, 3, ZeroCause::None}}};
  };
  EXPECT_EQ(c.finalize().reports.at(0).cause, ZeroCause::None);  // mixed over both steps
}

TEST_F(Rules, CausesOfAMethodThatMakesRewardsFromAnswersAreItsOwn) {
  puppet.needs.answer_class = true;
  ask(2);
  Controller c = make();
  c.plan(prompts, {}, 0);
  c.observe(std::vector{outcome(1, 1), outcome(2, 1)});  // both right, with different answers
  puppet.finalize = [] { return TrainBatch{.reports = {{.prompt = 1, .cause = ZeroCause::Tie}}}; };
  EXPECT_EQ(c.finalize().reports.at(0).cause, ZeroCause::Tie);
  EXPECT_EQ(c.record(1)->last_cause, ZeroCause::Tie);
}

TEST_F(Rules, ASingletonWithAnAdvantageHasABaseline) {
  for (const float advantage : {0.f, 0.5f}) {
    ask(1);
    Controller c = make();
    c.plan(prompts, {}, 0);
    c.observe(std::vector{outcome(1, 1)});
    puppet.finalize = [=] {
      return TrainBatch{
          .items = {{1, advantage}}, .groups = {{1, 0, 1}}, .reports = {{1, 1, 1, true, 1}}};
    };
    EXPECT_EQ(c.finalize().reports.at(0).cause,
              advantage == 0 ? ZeroCause::Single : ZeroCause::None);
  }
}

TEST_F(Rules, SavedStateIsRefusedByNameOfBothValues) {
  Controller c = make();
  c.plan(prompts, {}, 0);
  const std::string blob = c.save(0xaaa);
  const auto refusal = [&](ControllerOptions options, std::uint64_t data, const std::string& text) {
    options.host = serves_everything();
    Controller other(std::make_unique<PuppetMethod>(puppet), options);
    return message_of([&] { other.load(text, data); }, ErrorKind::Model);
  };
  const auto has = [](const std::string& text, const char* a, const char* b) {
    EXPECT_NE(text.find(a), std::string::npos) << text;
    EXPECT_NE(text.find(b), std::string::npos) << text;
  };
  has(refusal({.method = "other"}, 0xaaa, blob), "'puppet'", "'other'");
  has(refusal({.method = "puppet"}, 0xbbb, blob), "0xaaa", "0xbbb");
  has(refusal({.method = "puppet", .seed = 4}, 0xaaa, blob), "seed 0", "4");
  has(refusal({.method = "puppet"}, 0xaaa, blob.substr(0, 40)), "cannot be read", "");
  has(refusal({.method = "puppet"}, 0xaaa, ""), "cannot be read", "");
  has(refusal({.method = "puppet"}, 0xaaa, blob + "x"), "left over", "");
}

// Any damaged byte is noticed, and a refused load leaves the Controller as it was.
TEST_F(Rules, DamageIsNoticedAndChangesNothing) {
  ask(2);
  Controller c = make();
  c.plan(prompts, {}, 0);
  const std::string blob = c.save(1);
  for (std::size_t i = 0; i < blob.size(); ++i) {
    std::string damaged = blob;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    EXPECT_THROW(c.load(damaged, 1), Error) << "byte " << i;
    EXPECT_THROW(c.load(blob.substr(0, i), 1), Error) << "length " << i;
  }
  EXPECT_EQ(c.save(1), blob);
  c.load(blob, 1);
  EXPECT_EQ(c.save(1), blob);
}

}  // namespace
}  // namespace allot::testing
