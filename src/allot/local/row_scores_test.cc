// Scores against every response alone, unpacked, by library operations in double precision.
#include "allot/local/row_scores.h"

#include <algorithm>
#include <numeric>

#include <ATen/TensorOperators.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/mm.h>
#include <gtest/gtest.h>

#include "allot/local/other_policies.h"
#include "allot/local/testing/small_world.h"
#include "allot/objective/requirements.h"

namespace allot {
namespace {

using testing::BatchSpec;
using testing::SmallWorld;

// Of one response: the distribution over the vocabulary at every token, and the hidden state.
struct Alone {
  at::Tensor log_p;   // [tokens, vocab]
  at::Tensor hidden;  // [tokens, H]
};

Alone alone(const SmallWorld& world, const TrainRows& rows, const TrainRow& row,
            double temperature) {
  const std::vector<std::int32_t>& prompt = rows.prompts[row.group];
  const std::vector<std::int32_t>& response = row.stored->rollout.tokens;
  lm::PackedRows packed;
  packed.tokens = prompt;
  packed.tokens.insert(packed.tokens.end(), response.begin(), response.end() - 1);
  packed.positions.resize(packed.tokens.size());
  std::iota(packed.positions.begin(), packed.positions.end(), 0);
  packed.segments = {{0, static_cast<std::int32_t>(packed.tokens.size()), 0, 0}};
  const auto first = static_cast<std::int64_t>(prompt.size()) - 1;
  const at::Tensor hidden = lm::hidden_states(world.model, packed, lm::Kernels::Reference)
                                .narrow(0, first, static_cast<std::int64_t>(response.size()));
  return {at::log_softmax(at::mm(hidden, world.model.head.t()) / temperature, 1), hidden};
}

class RowScoresTest : public ::testing::Test {
 protected:
  RowScoresTest() : world(at::kDouble), batch(world.batch({}, store)) {
    rows = train_rows(batch, store, world.prompts, world.tokenizer, 24);
    settings.loss = objective::LossOptions{}.expanded();
    settings.temperature = 1.3;
    settings.pack = {3, 2};
    settings.workers = 2;
  }

  SmallWorld world;
  RolloutStore store;
  TrainBatch batch;
  TrainRows rows;
  PolicyGradientSettings settings;
  const std::vector<std::uint32_t> which = {0, 3, 5, 6, 13};
};

TEST_F(RowScoresTest, EqualThoseOfEveryResponseAlone) {
  for (const std::uint32_t i : which)
    for (std::size_t t = 0; t < rows.rows[i].tokens(); ++t)
      rows.rows[i].top.push_back({std::vector<std::int64_t>(1 + t % 3, 2), {}, {}, {}});
  const RowScores found =
      score_rows(world.model, rows, which, settings, {4, ChosenIds::TopOfRows, HiddenPart::All});
  const RowScores lengths =
      score_rows(world.model, rows, which, settings, {0, ChosenIds::None, HiddenPart::Length});
  ASSERT_EQ(found.rows.size(), which.size());
  EXPECT_GT(found.positions, 0u);
  for (std::size_t i = 0; i < which.size(); ++i) {
    const TrainRow& row = rows.rows[which[i]];
    const RowScore& score = found.rows[i];
    const Alone expected = alone(world, rows, row, 1.3);
    ASSERT_EQ(score.logprob.size(), row.tokens());
    for (std::size_t t = 0; t < row.tokens(); ++t) {
      const std::vector<double> log_p = to_host(expected.log_p[static_cast<std::int64_t>(t)]);
      const auto token = static_cast<std::size_t>(row.stored->rollout.tokens[t]);
      EXPECT_NEAR(score.logprob[t], log_p[token], 1e-10);
      const at::Tensor state = expected.hidden[static_cast<std::int64_t>(t)];
      const std::vector<double> hidden = to_host(state);
      ASSERT_EQ(score.hidden[t].size(), hidden.size());
      for (std::size_t j = 0; j < hidden.size(); ++j)
        EXPECT_NEAR(score.hidden[t][j], hidden[j], 1e-9);
      ASSERT_EQ(lengths.rows[i].hidden[t].size(), 1u);
      EXPECT_NEAR(lengths.rows[i].hidden[t][0], state.norm().item<double>(), 1e-9);
      double entropy = 0;
      for (const double l : log_p) entropy -= std::exp(l) * l;
      EXPECT_NEAR(score.entropy[t], entropy, 1e-10);
      std::vector<double> sorted = log_p;
      std::sort(sorted.rbegin(), sorted.rend());
      ASSERT_EQ(score.likeliest[t].ids.size(), 4u);
      for (std::size_t k = 0; k < 4; ++k) {
        EXPECT_NEAR(score.likeliest[t].logprob[k], sorted[k], 1e-10);
        EXPECT_NEAR(log_p[static_cast<std::size_t>(score.likeliest[t].ids[k])], sorted[k], 1e-10);
      }
      EXPECT_EQ(score.chosen[t].size(), 1 + t % 3);
      for (const double l : score.chosen[t]) EXPECT_NEAR(l, log_p[2], 1e-10);
    }
  }
}

TEST_F(RowScoresTest, OldComesFromAnExactSamplerOfThisVersionOnly) {
  rows.rows[3].anchor_kind = Anchor::Behaviour;
  for (const bool exact : {false, true}) {
    TrainRows own = rows;
    const std::uint64_t positions = set_old(world.model, own, which, {exact, 0}, settings);
    EXPECT_EQ(positions == 0, exact);
    EXPECT_TRUE(own.rows[3].old.empty());  // its ratio is against the behaviour policy
    const Rollout& rollout = own.rows[0].stored->rollout;
    ASSERT_EQ(own.rows[0].old.size(), rollout.tokens.size());
    EXPECT_EQ(own.rows[0].old[0] == static_cast<double>(rollout.logp[0]), exact);
    EXPECT_TRUE(own.rows[1].old.empty());                                   // not asked for
    EXPECT_EQ(set_old(world.model, own, which, {false, 0}, settings), 0u);  // nothing is missing
  }
  TrainRows stale = rows;
  EXPECT_GT(set_old(world.model, stale, which, {true, 7}, settings), 0u);
}

TEST_F(RowScoresTest, ListsOfTwoPoliciesAreJoined) {
  const SmallWorld other(at::kDouble, 2);
  TrainRows own = rows;
  set_top(world.model, other.model, own, which, settings);
  const RowScores mu = score_rows(other.model, rows, which, settings,
                                  {objective::kLikeliestTokens, ChosenIds::None});
  const auto vocab = static_cast<std::size_t>(world.model.config().vocab);
  const std::size_t k = std::min<std::size_t>(objective::kLikeliestTokens, vocab);
  for (std::size_t i = 0; i < which.size(); ++i) {
    ASSERT_EQ(own.rows[which[i]].top.size(), rows.rows[which[i]].tokens());
    const Alone here = alone(world, rows, rows.rows[which[i]], 1.3);
    for (std::size_t t = 0; t < own.rows[which[i]].top.size(); ++t) {
      const objective::TopK& top = own.rows[which[i]].top[t];
      ASSERT_GE(top.ids.size(), k);
      ASSERT_LE(top.ids.size(), vocab);
      ASSERT_EQ(top.rollout.size(), top.ids.size());
      ASSERT_EQ(top.old.size(), top.ids.size());
      const std::vector<double> log_p = to_host(here.log_p[static_cast<std::int64_t>(t)]);
      for (std::size_t j = 0; j < top.ids.size(); ++j)
        EXPECT_NEAR(top.old[j], log_p[static_cast<std::size_t>(top.ids[j])], 1e-10);
      for (std::size_t j = 0; j < k; ++j) {
        EXPECT_EQ(top.ids[j], mu.rows[i].likeliest[t].ids[j]);
        EXPECT_NEAR(top.rollout[j], mu.rows[i].likeliest[t].logprob[j], 1e-10);
      }
    }
  }
}

}  // namespace
}  // namespace allot
