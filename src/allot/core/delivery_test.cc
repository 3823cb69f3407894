#include "allot/core/delivery.h"

#include <cmath>
#include <span>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "allot/core/error.h"
#include "allot/core/random.h"
#include "allot/core/state.h"

namespace allot {
namespace {

constexpr std::uint32_t kMaxTokens = 50;

Outcome outcome(RolloutId id, PromptId prompt) {
  return {.id = id, .prompt = prompt, .behaviour = 3, .reward = 1, .correct = true, .tokens = 10};
}

// Three requests: ids 1-2 of prompt 7, 3-5 of prompt 8, 6 of prompt 7 again.
Delivery three_requests(Grain grain) {
  Delivery delivery(grain, 3, kMaxTokens, 1);
  delivery.issue({.prompt = 7, .n = 2, .tag = 4});
  delivery.issue({.prompt = 8, .n = 3});
  delivery.issue({.prompt = 7, .n = 1, .tag = 5});
  return delivery;
}
const std::vector<PromptId> kPromptOf{0, 7, 7, 8, 8, 8, 7};

void report(Delivery& delivery, RolloutId id) {
  delivery.report(std::vector{outcome(id, kPromptOf[id])});
}

std::vector<RolloutId> next_ids(Delivery& delivery) {
  std::vector<RolloutId> ids;
  for (const Outcome& o : delivery.next()) ids.push_back(o.id);
  return ids;
}
using Ids = std::vector<RolloutId>;

Ids cancel(Delivery& delivery, PromptId prompt) {
  Ids ids;
  delivery.cancel(prompt, ids);
  return ids;
}

TEST(Delivery, NumbersRequestsWithinStepAndPrompt) {
  Delivery delivery(Grain::Round, 0, 0, 41);
  const Issued a = delivery.issue({.prompt = 7, .n = 2, .tag = 1, .temperature = 0.5f});
  const Issued b = delivery.issue({.prompt = 8, .n = 1});
  const Issued c = delivery.issue({.prompt = 7, .n = 3, .exemplar = 9});
  EXPECT_EQ(a.first, 41u);
  EXPECT_EQ(b.first, 43u);
  EXPECT_EQ(c.first, 44u);
  EXPECT_EQ(c.first_seq, 2u);
  EXPECT_EQ(a.round, 0u);
  EXPECT_EQ(b.round, 0u);
  EXPECT_EQ(c.round, 1u);
  EXPECT_EQ(a.temperature, 0.5f);
  EXPECT_EQ(c.exemplar, 9u);
  EXPECT_EQ(delivery.next_id(), 47u);
  EXPECT_EQ(delivery.requests_of(7), 2u);
  EXPECT_EQ(delivery.requests_of(9), 0u);
}

TEST(Delivery, FillsInTheIdentityOfAnOutcome) {
  Delivery delivery = three_requests(Grain::Rollout);
  report(delivery, 1);
  report(delivery, 2);
  report(delivery, 6);
  delivery.next();
  delivery.next();
  const Outcome last = delivery.next().front();
  EXPECT_EQ(last.seq, 2u);
  EXPECT_EQ(last.tag, 5u);
  EXPECT_EQ(last.round, 1u);
  EXPECT_EQ(last.behaviour, 3u);
}

TEST(Delivery, RoundWaitsForEverything) {
  Delivery delivery = three_requests(Grain::Round);
  for (const RolloutId id : {6, 3, 1, 5, 2}) {
    report(delivery, id);
    EXPECT_TRUE(next_ids(delivery).empty());
  }
  report(delivery, 4);
  EXPECT_EQ(next_ids(delivery), (Ids{1, 2, 3, 4, 5, 6}));
  EXPECT_TRUE(next_ids(delivery).empty());
}

TEST(Delivery, RequestsComeWholeAndInTheirOrder) {
  Delivery delivery = three_requests(Grain::Request);
  for (const RolloutId id : {6, 3, 4, 5, 2}) report(delivery, id);
  EXPECT_TRUE(next_ids(delivery).empty());  // later requests are complete, the first is not
  report(delivery, 1);
  EXPECT_EQ(next_ids(delivery), (Ids{1, 2}));
  EXPECT_EQ(next_ids(delivery), (Ids{3, 4, 5}));
  EXPECT_EQ(next_ids(delivery), (Ids{6}));
  EXPECT_TRUE(next_ids(delivery).empty());
}

TEST(Delivery, RolloutsComeOneByOneInIssueOrderOfTheirPrompt) {
  Delivery delivery = three_requests(Grain::Rollout);
  for (const RolloutId id : {2, 6, 4}) report(delivery, id);
  EXPECT_TRUE(next_ids(delivery).empty());
  report(delivery, 3);
  EXPECT_EQ(next_ids(delivery), (Ids{3}));
  EXPECT_EQ(next_ids(delivery), (Ids{4}));
  EXPECT_TRUE(next_ids(delivery).empty());
  report(delivery, 1);
  EXPECT_EQ(next_ids(delivery), (Ids{1}));
  EXPECT_EQ(next_ids(delivery), (Ids{2}));
  EXPECT_EQ(next_ids(delivery), (Ids{6}));
}

// For every order of report: each rollout once, prompts in issue order, the same batches for
// Round and Request.
TEST(Delivery, EveryOrderOfReport) {
  EXPECT_TRUE(rc::check([](std::uint64_t seed) {
    Ids order{1, 2, 3, 4, 5, 6};
    RandomStream({seed, RandomUse::Test, 0, 0, 0}).shuffle(std::span(order));
    for (const Grain grain : {Grain::Round, Grain::Request, Grain::Rollout}) {
      Delivery delivery = three_requests(grain);
      std::vector<Ids> batches;
      for (const RolloutId id : order) {
        report(delivery, id);
        for (Ids ids = next_ids(delivery); !ids.empty(); ids = next_ids(delivery))
          batches.push_back(ids);
      }
      if (grain == Grain::Round) RC_ASSERT(batches == (std::vector<Ids>{{1, 2, 3, 4, 5, 6}}));
      if (grain == Grain::Request) RC_ASSERT(batches == (std::vector<Ids>{{1, 2}, {3, 4, 5}, {6}}));
      if (grain != Grain::Rollout) continue;
      Ids of_7, of_8;
      for (const Ids& batch : batches) {
        RC_ASSERT(batch.size() == 1u);
        (kPromptOf[batch[0]] == 7 ? of_7 : of_8).push_back(batch[0]);
      }
      RC_ASSERT(of_7 == (Ids{1, 2, 6}));
      RC_ASSERT(of_8 == (Ids{3, 4, 5}));
    }
  }));
}

TEST(Delivery, CancelledEvenIfItHadFinished) {
  Delivery delivery = three_requests(Grain::Rollout);
  report(delivery, 1);
  EXPECT_EQ(next_ids(delivery), (Ids{1}));
  report(delivery, 2);  // finished before it was cancelled, not handed out yet
  EXPECT_EQ(cancel(delivery, 7), (Ids{2, 6}));
  EXPECT_EQ(cancel(delivery, 7), Ids{});
  Outcome stopped = outcome(6, 7);
  stopped.status = Status::Cancelled;
  stopped.tokens = 17;
  delivery.report(std::vector{stopped});
  for (int i = 0; i < 2; ++i) {
    const Outcome o = delivery.next().front();
    EXPECT_EQ(o.status, Status::Cancelled);
    EXPECT_EQ(o.scoring, Scoring::NotScorable);
    EXPECT_EQ(o.reward, 0);
    EXPECT_FALSE(o.correct);
    EXPECT_EQ(o.tokens, kMaxTokens);  // the full allowance, however far it had come
  }
  EXPECT_EQ(cancel(delivery, 8), (Ids{3, 4, 5}));
  EXPECT_EQ(cancel(delivery, 99), Ids{});
}

TEST(Delivery, RequestsAfterACancellationAreNotCancelled) {
  Delivery delivery = three_requests(Grain::Round);
  cancel(delivery, 7);
  delivery.issue({.prompt = 7, .n = 1});
  for (RolloutId id = 1; id <= 6; ++id) report(delivery, id);
  delivery.report(std::vector{outcome(7, 7)});
  const std::span<const Outcome> all = delivery.next();
  ASSERT_EQ(all.size(), 7u);
  EXPECT_EQ(all[5].status, Status::Cancelled);
  EXPECT_EQ(all[6].status, Status::Ok);
}

TEST(Delivery, AbandonedRolloutsCountAsCancelled) {
  for (const Grain grain : {Grain::Round, Grain::Request, Grain::Rollout}) {
    Delivery delivery = three_requests(grain);
    report(delivery, 2);
    report(delivery, 6);
    delivery.abandon();
    std::vector<Outcome> all;
    for (auto batch = delivery.next(); !batch.empty(); batch = delivery.next())
      all.insert(all.end(), batch.begin(), batch.end());
    ASSERT_EQ(all.size(), 6u);
    for (const Outcome& o : all) {
      EXPECT_EQ(o.status, o.id == 2 || o.id == 6 ? Status::Ok : Status::Cancelled);
      EXPECT_EQ(o.behaviour, 3u);
    }
    report(delivery, 1);  // too late: accepted once and not handed out again
    EXPECT_THROW(report(delivery, 1), Error);
    EXPECT_TRUE(next_ids(delivery).empty());
    EXPECT_EQ(delivery.delivered(1)->record.status, Status::Cancelled);
  }
}

TEST(Delivery, WithheldRolloutsAreCharged) {
  Delivery delivery = three_requests(Grain::Round);
  report(delivery, 1);
  report(delivery, 3);
  cancel(delivery, 8);
  const Delivery::Withheld withheld = delivery.withheld();
  EXPECT_EQ(withheld.rollouts, 6u);
  EXPECT_EQ(withheld.tokens, 10 + 5 * kMaxTokens);
  EXPECT_EQ(delivery.unreported(), (Ids{2, 4, 5, 6}));
}

TEST(Delivery, AnswerClassesAreRenumberedPerPromptInIssueOrder) {
  Delivery delivery = three_requests(Grain::Round);
  const std::vector<std::int64_t> given{0, 900, -1, 5, 900, 5, 77};
  for (const RolloutId id : {5, 6, 4, 3, 2, 1}) {
    Outcome o = outcome(id, kPromptOf[id]);
    o.answer_class = given[id];
    delivery.report(std::vector{o});
  }
  std::vector<std::int64_t> classes;
  for (const Outcome& o : delivery.next()) classes.push_back(o.answer_class);
  EXPECT_EQ(classes, (std::vector<std::int64_t>{0, -1, 0, 1, 0, 1}));
}

TEST(Delivery, AStepKeepsNothingOfTheOneBefore) {
  for (const Grain grain : {Grain::Round, Grain::Request, Grain::Rollout}) {
    Delivery delivery = three_requests(grain);
    for (const RolloutId id : {1, 2, 4}) report(delivery, id);
    next_ids(delivery);
    cancel(delivery, 8);
    delivery.abandon();
    delivery.clear();
    EXPECT_FALSE(delivery.knows(1));
    EXPECT_TRUE(next_ids(delivery).empty());
    EXPECT_TRUE(delivery.planned().prompts.empty());
    delivery.open(grain, 3, kMaxTokens, 7);
    EXPECT_EQ(delivery.requests_of(7), 0u);
    EXPECT_EQ(delivery.issue({.prompt = 7, .n = 1}).first, 7u);
    EXPECT_TRUE(next_ids(delivery).empty());
    delivery.report(std::vector{outcome(7, 7)});
    EXPECT_EQ(next_ids(delivery), Ids{7});
  }
}

TEST(Delivery, PlannedHoldsWhatWasHandedOutByPromptInIssueOrder) {
  Delivery delivery = three_requests(Grain::Rollout);
  for (const RolloutId id : {6, 2, 1, 4}) report(delivery, id);
  while (!next_ids(delivery).empty()) {
  }
  const PlannedStep step = delivery.planned();
  ASSERT_EQ(step.prompts.size(), 2u);
  const PlannedPrompt &a = step.prompts[0], &b = step.prompts[1];
  EXPECT_EQ(std::vector({a.prompt, b.prompt}), (std::vector<PromptId>{7, 8}));
  EXPECT_EQ(std::vector({a.requests, b.requests}), (std::vector<std::uint32_t>{2, 1}));
  EXPECT_EQ(std::vector({a.issued, b.issued}), (std::vector<std::uint32_t>{3, 3}));
  Ids ids;
  for (const Outcome& o : a.outcomes) ids.push_back(o.id);
  EXPECT_EQ(ids, (Ids{1, 2, 6}));
  EXPECT_TRUE(b.outcomes.empty());  // its first has not come
  EXPECT_EQ(find_planned(step.prompts, 8), &b);
  EXPECT_EQ(find_planned(step.prompts, 9), nullptr);
}

TEST(Delivery, FieldsWithoutMeaningAreCleared) {
  Delivery delivery = three_requests(Grain::Rollout);
  const std::vector<float> parts{1, 2};
  Outcome failed = outcome(1, 7), unscored = outcome(2, 7);
  failed.status = Status::Failed;
  failed.answer_class = 3;
  failed.parts = parts;
  unscored.scoring = Scoring::VerifierError;
  unscored.reward = std::nanf("");
  delivery.report(std::vector{failed, unscored});
  const Outcome a = delivery.next().front(), b = delivery.next().front();
  EXPECT_EQ(a.scoring, Scoring::NotScorable);
  EXPECT_EQ(a.answer_class, -1);
  EXPECT_TRUE(a.parts.empty());
  EXPECT_FALSE(a.correct);
  EXPECT_EQ(b.scoring, Scoring::VerifierError);
  EXPECT_EQ(b.reward, 0);
  EXPECT_FALSE(b.correct);
}

TEST(Delivery, OwnsThePartsOfAReward) {
  Delivery delivery = three_requests(Grain::Rollout);
  {
    std::vector<float> parts{0.25f, std::nanf("")};
    Outcome o = outcome(1, 7);
    o.parts = parts;
    delivery.report(std::vector{o});
    parts.assign(2, 9);
  }
  const Outcome o = delivery.next().front();
  ASSERT_EQ(o.parts.size(), 2u);
  EXPECT_EQ(o.parts[0], 0.25f);
  EXPECT_TRUE(std::isnan(o.parts[1]));
}

std::string refusal(Delivery& delivery, const std::vector<Outcome>& outcomes) {
  try {
    delivery.report(outcomes);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Internal);
    return error.what();
  }
  return {};
}

TEST(Delivery, RefusesReportsThatCannotBe) {
  Delivery delivery = three_requests(Grain::Round);
  report(delivery, 2);
  const auto refused = [&](Outcome o, const char* part) {
    const std::string message = refusal(delivery, {outcome(1, 7), o});
    EXPECT_NE(message.find(part), std::string::npos) << part << ": " << message;
  };
  refused(outcome(0, 7), "not asked for");
  refused(outcome(7, 7), "not asked for");
  refused(outcome(2, 7), "reported before");
  refused(outcome(1, 7), "twice");
  refused(outcome(3, 7), "wrong prompt");
  Outcome o = outcome(3, 8);
  o.tokens = kMaxTokens + 1;
  refused(o, "at most 50");
  o = outcome(3, 8);
  o.reward = std::nanf("");
  refused(o, "finite reward");
  o = outcome(3, 8);
  o.mean_logprob = -INFINITY;
  refused(o, "log-probability");
  const std::vector<float> parts{INFINITY};
  o = outcome(3, 8);
  o.parts = parts;
  refused(o, "reward part");
  EXPECT_EQ(delivery.unreported(), (Ids{1, 3, 4, 5, 6}));  // nothing of a refused call was taken
  EXPECT_EQ(refusal(delivery, {outcome(1, 7), outcome(3, 8)}), "");  // nor remembered
  EXPECT_EQ(delivery.unreported(), (Ids{4, 5, 6}));
}

TEST(Delivery, RoundTripAtEveryReport) {
  for (const Grain grain : {Grain::Round, Grain::Request, Grain::Rollout}) {
    Delivery plain = three_requests(grain), reloaded = three_requests(grain);
    Ids got, expected;
    for (const RolloutId id : {2, 3, 6, 1, 5, 4}) {
      if (id == 1) {
        cancel(plain, 8);
        cancel(reloaded, 8);
      }
      report(plain, id);
      report(reloaded, id);
      Delivery fresh;
      load_state("d", 1, save_state("d", 1, reloaded), fresh);
      reloaded = std::move(fresh);
      for (Ids ids = next_ids(plain); !ids.empty(); ids = next_ids(plain))
        expected.insert(expected.end(), ids.begin(), ids.end());
      for (Ids ids = next_ids(reloaded); !ids.empty(); ids = next_ids(reloaded))
        got.insert(got.end(), ids.begin(), ids.end());
      EXPECT_EQ(got, expected);
      EXPECT_EQ(save_state("d", 1, reloaded), save_state("d", 1, plain));
    }
    EXPECT_EQ(got.size(), 6u);
  }
}

}  // namespace
}  // namespace allot
