#include "allot/methods/parts/group_pool.h"

#include <cmath>

#include <gtest/gtest.h>

#include "allot/core/error.h"
#include "allot/core/state.h"

namespace allot {
namespace {

Outcome outcome(PromptId prompt, RolloutId id, float reward) {
  Outcome o;
  o.prompt = prompt;
  o.id = id;
  o.reward = reward;
  o.correct = reward > 0.5f;
  return o;
}

TEST(GroupPool, ScoredMeansGeneratedScoredAndFinite) {
  Outcome o = outcome(1, 1, 1);
  EXPECT_TRUE(is_scored(o));
  o.status = Status::Truncated;
  EXPECT_TRUE(is_scored(o));
  for (const float reward : {NAN, INFINITY, -INFINITY})
    EXPECT_FALSE(is_scored(outcome(1, 1, reward)));
  for (const Status status : {Status::Failed, Status::Cancelled}) {
    o.status = status;
    EXPECT_FALSE(is_scored(o));
  }
  o.status = Status::Ok;
  for (const Scoring scoring : {Scoring::NotScorable, Scoring::VerifierError}) {
    o.scoring = scoring;
    EXPECT_FALSE(is_scored(o));
  }
}

TEST(GroupPool, KeepsPlanningOrderAndCounts) {
  GroupPool pool;
  pool.request(9, 2);
  pool.request(4, 1);
  pool.request(9, 1);
  EXPECT_EQ(pool.outstanding(), 4u);
  std::vector<float> parts = {0.25f, 0.5f};
  std::vector<Outcome> outcomes = {outcome(9, 1, 1), outcome(4, 2, 0), outcome(9, 3, NAN)};
  outcomes[0].parts = parts;
  pool.add(outcomes);
  parts.assign(2, 0);  // what was passed in may go
  ASSERT_EQ(pool.size(), 2u);
  EXPECT_EQ(pool.groups()[0].prompt, 9u);
  EXPECT_EQ(pool.groups()[0].requested, 3u);
  EXPECT_EQ(pool.group(9).scored_count(), 1u);
  EXPECT_EQ(pool.group(9).correct_count(), 1u);
  EXPECT_EQ(pool.group(9).rollouts[0].parts, (std::vector<float>{0.25f, 0.5f}));
  EXPECT_EQ(pool.group(4).cause(1e-6), ZeroCause::Single);
  EXPECT_EQ(pool.outstanding(), 1u);

  GroupPool copy;
  load_state("pool", 1, save_state("pool", 1, pool), copy);
  EXPECT_EQ(save_state("pool", 1, copy), save_state("pool", 1, pool));
  EXPECT_EQ(copy.group(9)[1].id, 3u);
}

TEST(GroupPool, RefusesWhatWasNotRequested) {
  GroupPool pool;
  pool.request(1, 1);
  EXPECT_THROW(pool.add(std::vector<Outcome>{outcome(2, 1, 0)}), Error);
  EXPECT_THROW(pool.group(2), Error);
  pool.add(std::vector<Outcome>{outcome(1, 1, 0)});
  EXPECT_THROW(pool.add(std::vector<Outcome>{outcome(1, 2, 0)}), Error);
}

}  // namespace
}  // namespace allot
