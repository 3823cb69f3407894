#include "allot/loop/rollout_store.h"

#include <gtest/gtest.h>

#include "allot/core/error.h"

namespace allot {
namespace {

Rollout rollout(RolloutId id, std::size_t tokens = 4) {
  Rollout r;
  r.id = id;
  r.prompt = 10 + id;
  r.seq = 3;
  r.behaviour = 7;
  r.tokens.assign(tokens, static_cast<std::int32_t>(id));
  r.logp.assign(tokens, -0.25f);
  r.text = concat("text ", id);
  return r;
}

TEST(RolloutStore, KeepsWhatIsHeldUntilItIsReleased) {
  RolloutStore store;
  for (RolloutId id = 0; id < 5; ++id) store.add(rollout(id), {}, 0);
  store.end_step(std::vector<RolloutId>{1, 3}, {});
  EXPECT_EQ(store.ids(), (std::vector<RolloutId>{1, 3}));
  store.add(rollout(5), {}, 1);
  store.end_step({}, std::vector<RolloutId>{1});
  EXPECT_EQ(store.ids(), (std::vector<RolloutId>{3}));
  EXPECT_THROW(store.get(1), Error);
  EXPECT_THROW(store.add(rollout(3), {}, 2), Error);
}

TEST(RolloutStore, DropsAnAbandonedStep) {
  RolloutStore store;
  store.add(rollout(0), {}, 0);
  store.end_step(std::vector<RolloutId>{0}, {});
  store.add(rollout(1), {}, 1);
  store.drop_step();
  EXPECT_EQ(store.ids(), (std::vector<RolloutId>{0}));
}

TEST(RolloutStore, EvictsTheOldestAndSaysSo) {
  RolloutStore store(20000);
  for (RolloutId id = 0; id < 8; ++id) store.add(rollout(id, 500), {}, 0);
  store.end_step(store.ids(), {});
  const std::vector<RolloutId> lost = store.take_lost();
  ASSERT_FALSE(lost.empty());
  EXPECT_EQ(lost.front(), 0u);
  EXPECT_EQ(lost.size() + store.ids().size(), 8u);
  EXPECT_FALSE(store.contains(lost.back()));
  EXPECT_TRUE(store.take_lost().empty());
}

TEST(RolloutStore, SavesHeldRolloutsWhole) {
  RolloutStore store;
  Score score;
  score.reward = 0.5f;
  score.parts = {0.25f, 0.5f};
  score.correct = true;
  score.answer = "42";
  store.add(rollout(9), score, 4);
  store.add(rollout(10), {}, 4);
  store.end_step(std::vector<RolloutId>{9}, {});
  RolloutStore copy;
  copy.load(store.save());
  EXPECT_EQ(copy.ids(), (std::vector<RolloutId>{9}));
  const StoredRollout& read = copy.get(9);
  EXPECT_EQ(read.rollout.tokens, rollout(9).tokens);
  EXPECT_EQ(read.rollout.text, "text 9");
  EXPECT_EQ(read.rollout.behaviour, 7u);
  EXPECT_EQ(read.score.parts, score.parts);
  EXPECT_EQ(read.score.answer, "42");
  EXPECT_EQ(read.step, 4u);
  EXPECT_EQ(copy.save(), store.save());
  EXPECT_THROW(copy.load(store.save().substr(0, 40)), Error);
}

TEST(OutcomeOf, CarriesWhatMethodsMaySee) {
  Score score;
  score.correct = true;
  score.reward = 1;
  score.answer = "7";
  const StoredRollout stored{rollout(2), score, 0};
  const Outcome outcome = outcome_of(stored);
  EXPECT_EQ(outcome.id, 2u);
  EXPECT_EQ(outcome.prompt, 12u);
  EXPECT_EQ(outcome.tokens, 4u);
  EXPECT_TRUE(outcome.correct);
  EXPECT_GE(outcome.answer_class, 0);
  EXPECT_FLOAT_EQ(outcome.mean_logprob, -0.25f);
}

}  // namespace
}  // namespace allot
