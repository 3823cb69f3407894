#include "allot/local/train_rows.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "allot/core/error.h"
#include "allot/local/testing/small_world.h"

namespace allot {
namespace {

using testing::BatchSpec;
using testing::SmallWorld;

class TrainRowsTest : public ::testing::Test {
 protected:
  TrainRows rows(const TrainBatch& batch, int context = 24) const {
    return train_rows(batch, store, world.prompts, world.tokenizer, context);
  }
  void expect_refused(const TrainBatch& batch, ErrorKind kind, int context = 24) const {
    try {
      rows(batch, context);
      ADD_FAILURE() << "the batch was accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), kind) << error.what();
    }
  }

  SmallWorld world;
  RolloutStore store;
  TrainBatch batch = world.batch({}, store);
};

TEST_F(TrainRowsTest, TakesEveryItemWithItsAnchor) {
  const TrainRows found = rows(batch);
  ASSERT_EQ(found.rows.size(), batch.items.size());
  ASSERT_EQ(found.prompts.size(), batch.groups.size());
  for (std::size_t i = 0; i < found.rows.size(); ++i) {
    const TrainRow& row = found.rows[i];
    EXPECT_EQ(row.stored->rollout.id, batch.items[i].rollout);
    EXPECT_EQ(row.anchor_kind, batch.items[i].anchor);
    EXPECT_EQ(row.active(), batch.items[i].advantage != 0);
  }
  EXPECT_EQ(found.prompts[0], world.tokenizer.encode(world.prompts.get(100).text));
}

TEST_F(TrainRowsTest, APromptsWeightMultipliesThatOfItsItems) {
  batch.items[0].weight = 0.5f;
  const PromptId first = batch.groups[0].prompt;
  world.prompts.weigh(first, 0.25f);
  const TrainRows found = rows(batch);
  EXPECT_EQ(found.rows[0].weight, 0.125);
  for (std::size_t i = 1; i < found.rows.size(); ++i) {
    const bool is_first = found.rows[i].stored->rollout.prompt == first;
    EXPECT_EQ(found.rows[i].weight, batch.items[i].weight * (is_first ? 0.25 : 1)) << i;
  }
  world.prompts.weigh(first, 0);
  EXPECT_FALSE(rows(batch).rows[0].active());
}

TEST_F(TrainRowsTest, RefusesBatchesThatBreakTheContract) {
  TrainBatch bad = batch;
  bad.items[3].advantage = std::nanf("");
  expect_refused(bad, ErrorKind::Internal);
  bad = batch;
  bad.items[3].weight = std::numeric_limits<float>::infinity();
  expect_refused(bad, ErrorKind::Internal);
  bad = batch;
  bad.items[3].rollout = 1;
  expect_refused(bad, ErrorKind::Internal);
  bad = batch;
  std::swap(bad.items[0].rollout, bad.items[6].rollout);  // of another prompt
  expect_refused(bad, ErrorKind::Internal);
  bad = batch;
  bad.groups[1].first = 0;  // twice the same item
  expect_refused(bad, ErrorKind::Internal);
  bad = batch;
  bad.groups.pop_back();  // items of no group
  expect_refused(bad, ErrorKind::Internal);
  bad = batch;
  bad.groups[0].count = 4000000000u;
  expect_refused(bad, ErrorKind::Internal);
}

TEST_F(TrainRowsTest, RefusesBehaviourAnchorsThatAreMissingOrNotNumbers) {
  for (const bool missing : {true, false}) {
    Rollout rollout;
    rollout.id = missing ? 1 : 2;
    rollout.prompt = 100;
    rollout.tokens = {3, 4};
    rollout.logp = missing ? std::vector<float>{-1} : std::vector<float>{-1, std::nanf("")};
    store.add(rollout, {}, 0);
    TrainBatch one;
    one.items = {{rollout.id, 1, 1, Anchor::Behaviour}};
    one.groups = {{100, 0, 1, 1, 0}};
    expect_refused(one, ErrorKind::Internal);
    one.items[0].anchor = Anchor::StepStart;
    EXPECT_EQ(rows(one).rows.size(), 1u);
  }
}

TEST_F(TrainRowsTest, RefusesARolloutBeyondTheContext) {
  std::size_t longest = 0;
  const TrainRows found = rows(batch);
  for (const TrainRow& row : found.rows)
    longest = std::max(longest, found.prompts[row.group].size() + row.tokens() - 1);
  rows(batch, static_cast<int>(longest));
  expect_refused(batch, ErrorKind::Data, static_cast<int>(longest) - 1);
}

TEST_F(TrainRowsTest, MiniBatchesAreWholeGroupsOfAboutTheWantedSize) {
  RolloutStore more;
  BatchSpec spec;
  spec.group_sizes = {4, 4, 4, 4, 4, 4};
  const TrainBatch even = world.batch(spec, more);
  const TrainRows found = train_rows(even, more, world.prompts, world.tokenizer, 24);
  EXPECT_EQ(mini_batches(found, 0).size(), 1u);
  EXPECT_EQ(mini_batches(found, 1000).size(), 1u);
  const auto thirds = mini_batches(found, 8);
  ASSERT_EQ(thirds.size(), 3u);
  for (const RowRange& range : thirds) EXPECT_EQ(range.count, 8u);
  EXPECT_EQ(mini_batches(found, 1).size(), 6u);  // a group is never cut

  const TrainRows uneven = rows(batch);  // groups of 4, 1, 7, 2
  for (std::size_t wanted = 1; wanted < 20; ++wanted) {
    std::size_t next = 0;
    for (const RowRange& range : mini_batches(uneven, wanted)) {
      EXPECT_EQ(range.first, next);
      EXPECT_GT(range.count, 0u);
      next += range.count;
      if (next < uneven.rows.size()) {
        EXPECT_NE(uneven.rows[next].group, uneven.rows[next - 1].group);
      }
    }
    EXPECT_EQ(next, uneven.rows.size());
  }
}

}  // namespace
}  // namespace allot
