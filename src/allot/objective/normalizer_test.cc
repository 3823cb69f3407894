#include "allot/objective/normalizer.h"

#include <map>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "allot/core/error.h"

namespace allot::objective {
namespace {

// Lengths 3, 2, 4, 1; groups {1,2,3} and {4} (objectives_golden, G9).
const std::vector<RowSize> kGolden = {{7, 3}, {7, 2}, {7, 4}, {2, 1}};

void expect_weights(const Normalizer& normalizer, const std::vector<double>& expected) {
  const std::vector<double> omega = token_weights(normalizer, kGolden);
  ASSERT_EQ(omega.size(), expected.size());
  for (std::size_t i = 0; i < omega.size(); ++i) EXPECT_NEAR(omega[i], expected[i], 1e-6) << i;
}

TEST(Normalizer, GoldenWeights) {
  expect_weights({Aggregation::TokenMean}, {.1, .1, .1, .1});
  expect_weights({Aggregation::TokenSum}, {1, 1, 1, 1});
  expect_weights({Aggregation::SeqMeanTokenMean}, {.083333, .125, .0625, .25});
  expect_weights({Aggregation::SeqMeanTokenSum}, {.25, .25, .25, .25});
  expect_weights({Aggregation::SeqMeanTokenSumNorm, 0, 8}, {.03125, .03125, .03125, .03125});
  expect_weights({Aggregation::PromptMean}, {.055556, .083333, .041667, .5});
}

TEST(Normalizer, AFixedConstantReplacesTheNumberOfRows) {
  expect_weights({Aggregation::SeqMeanTokenMean, 16, 0}, {1. / 48, 1. / 32, 1. / 64, 1. / 16});
  expect_weights({Aggregation::SeqMeanTokenMean, 16, 10}, {1. / 160, 1. / 160, 1. / 160, 1. / 160});
}

TEST(Normalizer, ALengthDivisorReplacesTheMeanOverTokens) {
  expect_weights({Aggregation::PromptMean, 0, 10}, {1. / 60, 1. / 60, 1. / 60, 1. / 20});
}

TEST(Normalizer, EmptyRowsCountNowhere) {
  for (const Aggregation aggregation : {Aggregation::TokenMean, Aggregation::SeqMeanTokenMean,
                                        Aggregation::SeqMeanTokenSum, Aggregation::PromptMean}) {
    std::vector<RowSize> rows = kGolden;
    rows.push_back({7, 0});
    rows.push_back({99, 0});
    const auto with = token_weights({aggregation}, rows);
    const auto without = token_weights({aggregation}, kGolden);
    for (std::size_t i = 0; i < without.size(); ++i) EXPECT_EQ(with[i], without[i]);
    EXPECT_EQ(with[4], 0);
    EXPECT_EQ(with[5], 0);
  }
  EXPECT_TRUE(token_weights({Aggregation::TokenMean}, {}).empty());
}

TrainBatch batch_of(Norm norm, double fixed = 0) {
  TrainBatch batch;
  batch.norm = norm;
  batch.fixed = fixed;
  return batch;
}

TEST(Normalizer, FollowsTheBatchUnlessOptionsSayOtherwise) {
  const LossOptions options;
  EXPECT_EQ(normalizer_of(options, batch_of(Norm::PerToken)).aggregation, Aggregation::TokenMean);
  EXPECT_EQ(normalizer_of(options, batch_of(Norm::PerRollout)).aggregation,
            Aggregation::SeqMeanTokenMean);
  EXPECT_EQ(normalizer_of(options, batch_of(Norm::PerGroup)).aggregation, Aggregation::PromptMean);
  const Normalizer fixed = normalizer_of(options, batch_of(Norm::Fixed, 64));
  EXPECT_EQ(fixed.aggregation, Aggregation::SeqMeanTokenMean);
  EXPECT_EQ(fixed.fixed_rows, 64);
  EXPECT_EQ(fixed.of_share(.25).fixed_rows, 16);
}

TEST(Normalizer, TheBatchsLengthDivisorComesBeforeTheOptions) {
  LossOptions options;
  options.length_divisor = 5;
  TrainBatch batch = batch_of(Norm::PerRollout);
  EXPECT_EQ(normalizer_of(options, batch).length_divisor, 5);
  batch.length_divisor = 12;
  EXPECT_EQ(normalizer_of(options, batch).length_divisor, 12);
}

TEST(Normalizer, AFixedNormaliserIsNotReplaced) {
  LossOptions options;
  options.aggregation = Aggregation::TokenMean;
  EXPECT_EQ(normalizer_of(options, batch_of(Norm::PerGroup)).aggregation, Aggregation::TokenMean);
  EXPECT_THROW(normalizer_of(options, batch_of(Norm::Fixed, 8)), Error);
  EXPECT_THROW(normalizer_of(LossOptions{}, batch_of(Norm::Fixed, 0)), Error);
}

// T14: the tokens of every prompt weigh 1/P together, whatever n_g and n_i.
RC_GTEST_PROP(Normalizer, PromptMeanGivesEveryPromptTheSameWeight, ()) {
  const auto sizes = *rc::gen::nonEmpty(rc::gen::container<std::vector<std::pair<int, int>>>(
      rc::gen::pair(rc::gen::inRange(0, 5), rc::gen::inRange(1, 40))));
  std::vector<RowSize> rows;
  for (const auto& [group, tokens] : sizes)
    rows.push_back({static_cast<std::uint32_t>(group), static_cast<std::uint32_t>(tokens)});
  const auto omega = token_weights({Aggregation::PromptMean}, rows);
  std::map<std::uint32_t, double> weight;
  for (std::size_t i = 0; i < rows.size(); ++i) weight[rows[i].group] += omega[i] * rows[i].tokens;
  for (const auto& [group, sum] : weight)
    RC_ASSERT(std::abs(sum - 1.0 / static_cast<double>(weight.size())) < 1e-12);
}

}  // namespace
}  // namespace allot::objective
