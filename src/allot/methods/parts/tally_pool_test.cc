#include "allot/methods/parts/tally_pool.h"

#include <gtest/gtest.h>

#include "allot/core/error.h"
#include "allot/core/state.h"

namespace allot {
namespace {

Outcome ended(PromptId prompt, RolloutId id, float reward, std::uint32_t round = 0) {
  Outcome outcome;
  outcome.prompt = prompt;
  outcome.id = id;
  outcome.reward = reward;
  outcome.correct = reward > 0.5f;
  outcome.round = round;
  outcome.tokens = 10;
  return outcome;
}

TallyPool two_prompts() {
  TallyPool pool;
  pool.request(7, 2);
  pool.request(3, 2);
  pool.request(7, 2);
  std::vector<Outcome> outcomes = {ended(7, 1, 1), ended(3, 3, 0),    ended(7, 2, 0),
                                   ended(3, 4, 0), ended(7, 5, 1, 1), ended(7, 6, 1, 1)};
  outcomes[3].scoring = Scoring::VerifierError;
  outcomes[5].status = Status::Failed;
  pool.add(outcomes);
  return pool;
}

TEST(TallyPool, CountsPerPromptInTheOrderOfPlanning) {
  const TallyPool pool = two_prompts();
  ASSERT_EQ(pool.tallies().size(), 2u);
  EXPECT_EQ(pool.outstanding(), 0u);
  const Tally& seven = pool.tallies()[0];
  EXPECT_EQ(seven.prompt, 7u);
  EXPECT_EQ(seven.requested, 4u);
  EXPECT_EQ(seven.scored, 3u);
  EXPECT_EQ(seven.correct, 2u);
  EXPECT_EQ(seven.first_scored, 2u);
  EXPECT_EQ(seven.first_correct, 1u);
  EXPECT_EQ(seven.generated, 3u);
  EXPECT_EQ(seven.tokens, 40u);  // the failed one was spent too
  EXPECT_EQ(seven.scored_tokens, 30u);
  EXPECT_DOUBLE_EQ(seven.squared_deviations(), 2.0 * 1 / 3);  // m (N - m) / N
  EXPECT_EQ(pool.tallies()[1].scored, 1u);
  EXPECT_EQ(pool.tallies()[1].squared_deviations(), 0);
}

TEST(TallyPool, SortsRolloutsByPromptInIssueOrder) {
  TallyPool pool = two_prompts();
  const TallyPool::Sorted sorted = pool.sorted();
  std::vector<RolloutId> ids;
  for (const TalliedRollout& rollout : sorted.rollouts) ids.push_back(rollout.id);
  EXPECT_EQ(ids, (std::vector<RolloutId>{1, 2, 5, 3}));
  EXPECT_EQ(std::vector(sorted.first.begin(), sorted.first.end()),
            (std::vector<std::uint32_t>{0, 3, 4}));
}

TEST(TallyPool, EqualRewardsHaveNoDeviationWhateverTheirRounding) {
  TallyPool pool;
  pool.request(1, 8);
  for (RolloutId id = 0; id < 8; ++id) pool.add(std::vector{ended(1, id, 0.1f)});
  EXPECT_EQ(pool.tallies()[0].squared_deviations(), 0);
  EXPECT_EQ(pool.tallies()[0].range(), 0);
}

TEST(TallyPool, RefusesWhatWasNotAskedFor) {
  TallyPool pool;
  EXPECT_THROW(pool.add(std::vector{ended(1, 1, 0)}), Error);
  pool.request(1, 1);
  pool.add(std::vector{ended(1, 1, 0)});
  EXPECT_THROW(pool.add(std::vector{ended(1, 2, 0)}), Error);
}

TEST(TallyPool, IsSavedWhole) {
  TallyPool pool = two_prompts();
  pool.request(3, 4);
  TallyPool copy;
  const std::string blob = save_state("pool", 1, pool);
  load_state("pool", 1, blob, copy);
  EXPECT_EQ(save_state("pool", 1, copy), blob);
  copy.add(std::vector{ended(3, 9, 1, 1)});
  EXPECT_EQ(copy.tallies()[1].correct, 1u);
  EXPECT_EQ(copy.outstanding(), 3u);
  copy.clear();
  EXPECT_TRUE(copy.tallies().empty());
}

}  // namespace
}  // namespace allot
