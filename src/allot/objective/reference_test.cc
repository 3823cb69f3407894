#include "allot/objective/reference.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "allot/core/error.h"
#include "allot/core/random.h"
#include "allot/objective/surrogate.h"
#include "allot/objective/testing/golden.h"

namespace allot::objective {
namespace {

std::vector<double> flat(const std::vector<std::vector<double>>& rows) {
  std::vector<double> out;
  for (const auto& row : rows) out.insert(out.end(), row.begin(), row.end());
  return out;
}

const std::vector<Normalizer>& all_normalizers() {
  static const std::vector<Normalizer> all = {{Aggregation::TokenMean},
                                              {Aggregation::TokenSum},
                                              {Aggregation::SeqMeanTokenMean},
                                              {Aggregation::SeqMeanTokenMean, 40, 0},
                                              {Aggregation::SeqMeanTokenMean, 40, 12},
                                              {Aggregation::SeqMeanTokenSum},
                                              {Aggregation::SeqMeanTokenSumNorm, 0, 12},
                                              {Aggregation::PromptMean}};
  return all;
}

// Rows with random lengths (from 0), groups, advantages, weights and anchors of either kind.
std::vector<LossRow> rows_of_groups(std::uint64_t seed, std::size_t count) {
  RandomStream random({seed, RandomUse::Test});
  std::vector<LossRow> rows(count);
  for (LossRow& row : rows) {
    row.group = static_cast<std::uint32_t>(random.below(4));
    row.advantage = random.below(6) == 0 ? 0 : random.normal();
    row.weight = 0.5 + random.uniform();
    row.anchor = random.below(2) == 0 ? Anchor::StepStart : Anchor::Behaviour;
    for (std::uint64_t t = random.below(9); t > 0; --t) {
      row.logprob.push_back(-3 * random.uniform());
      row.old.push_back(row.logprob.back() + 0.4 * random.normal());
      row.rollout.push_back(row.logprob.back() + 0.4 * random.normal());
    }
  }
  return rows;
}

TEST(Reference, GoldenLossesAndGradients) {
  for (const GoldenLoss& golden : golden_losses()) {
    SCOPED_TRACE(golden.name);
    const LossResult result = reference_loss(golden.options, golden.normalizer, golden.rows);
    EXPECT_NEAR(result.loss, golden.loss, 1e-6);
    const std::vector<double> gradient = flat(result.gradient);
    ASSERT_EQ(gradient.size(), golden.gradient.size());
    for (std::size_t i = 0; i < gradient.size(); ++i)
      EXPECT_NEAR(gradient[i], golden.gradient[i], 1e-6) << i;
  }
}

// The published GRPO row has a KL term of weight .04; what is left after its known gradient
// (1 - exp(-delta) with delta = log current - log reference, golden G0) is the policy's.
TEST(Reference, GoldenGrpoWithoutItsKlTerm) {
  const std::vector<double> with_kl = {-.080752, .001312,  -.073515, .093168,  -.005069,
                                       -.054612, -.039557, .001668,  -.052620, .512782};
  const std::vector<double> delta = {.2, .5, .03, -.17, -.7, .02, -.45, 1.1, -.04, 1.0};
  const std::vector<double> omega = {1. / 12, 1. / 12, 1. / 12, 1. / 8,  1. / 8,
                                     1. / 16, 1. / 16, 1. / 16, 1. / 16, 1. / 4};
  LossOptions options;
  options.preset = "grpo";
  options.kl.placement = KlPlacement::None;
  options.kl.beta = 0;
  const auto rows = golden_rows(0.5 / (std::sqrt(1.0 / 3) + 1e-4));
  const auto gradient =
      flat(reference_loss(options, {Aggregation::SeqMeanTokenMean}, rows).gradient);
  for (std::size_t i = 0; i < 10; ++i)
    EXPECT_NEAR(gradient[i] + .04 * omega[i] * (1 - std::exp(-delta[i])), with_kl[i], 1.1e-6) << i;
}

TEST(Reference, GoldenEdgeStatistics) {
  const LossResult result =
      reference_loss(LossOptions{}, {Aggregation::TokenMean}, golden_rows(kGoldenCentred));
  EXPECT_EQ(result.sums.tokens, 10);
  EXPECT_NEAR(result.sums.k1 / 10, -.088, 1e-9);
  EXPECT_NEAR(result.sums.k3 / 10, .083079, 1e-6);
  // Clipped at .2/.28: two large ratios with A > 0, one small ratio with A < 0.
  EXPECT_EQ(result.sums.clipped_high, 2);
  EXPECT_EQ(result.sums.clipped_low, 1);
  EXPECT_NEAR(result.items[3].ratio, 2.33964685, 1e-8);
  EXPECT_NEAR(result.items[0].clip_fraction, 1.0 / 3, 1e-12);
}

TEST(Reference, ABehaviourAnchorUsesTheGeneratingPolicy) {
  auto rows = golden_rows(1);
  for (LossRow& row : rows) row.anchor = Anchor::Behaviour;
  const LossResult result = reference_loss(LossOptions{}, {Aggregation::TokenSum}, rows);
  EXPECT_NEAR(result.items[3].ratio, 2.45960311, 1e-8);   // current / mu
  EXPECT_NEAR(result.gradient[0][0], -1.10517092, 1e-8);  // - r A
  EXPECT_EQ(result.gradient[0][1], 0);                    // 1.4918 is clipped
  EXPECT_NEAR(result.gradient[1][0], 0.86070798, 1e-8);
}

// T4 on single tokens: minus the coefficient is the slope of the value, away from kinks.
RC_GTEST_PROP(Surrogate, TheCoefficientIsTheSlopeOfTheValue, ()) {
  LossOptions options;
  options.clip_low = *rc::gen::element(0.0, 0.2, 0.5);
  options.clip_high = *rc::gen::element(0.0, 0.28, 1.0);
  switch (*rc::gen::inRange(0, 3)) {
    case 1:
      options.dual_clip_c = 3;
      break;
    case 2:
      options.ratio_cap = 4;
      break;
    default:
      break;
  }
  RandomStream random({*rc::gen::arbitrary<std::uint64_t>(), RandomUse::Test});
  const double logr = 4 * random.uniform() - 2, advantage = random.normal(), h = 1e-6;
  const double r = std::exp(logr);
  for (const double kink : {1 - options.clip_low, 1 + options.clip_high, 3.0, 4.0})
    RC_PRE(std::abs(r - kink) > 1e-4);
  const SurrogateTerm term = surrogate(options, r, advantage);
  const double slope = (surrogate(options, std::exp(logr + h), advantage).value -
                        surrogate(options, std::exp(logr - h), advantage).value) /
                       (2 * h);
  RC_ASSERT(term.coefficient >= 0);
  RC_ASSERT(std::abs(slope - term.coefficient * advantage) < 1e-6 * (1 + std::abs(advantage)));
}

// T5: clipping never takes the gradient of a move back toward the anchor, and the sides swap with
// the sign of A.
RC_GTEST_PROP(Surrogate, ClippingNeverBlocksTheWayBack, ()) {
  RandomStream random({*rc::gen::arbitrary<std::uint64_t>(), RandomUse::Test});
  const LossOptions options = LossOptions{}.expanded();
  const double r = std::exp(4 * random.uniform() - 2), advantage = random.normal();
  const SurrogateTerm term = surrogate(options, r, advantage);
  if ((r > 1 && advantage < 0) || (r < 1 && advantage > 0)) RC_ASSERT(term.coefficient == r);
  RC_ASSERT(!(term.clipped_low && surrogate(options, r, -advantage).clipped_low));
  RC_ASSERT(!(term.clipped_high && surrogate(options, r, -advantage).clipped_high));
}

// T4 on whole batches: central differences of the loss, in both modes.
TEST(Reference, GradientsEqualCentralDifferences) {
  for (const Normalizer& normalizer : all_normalizers()) {
    std::vector<LossRow> rows = rows_of_groups(11, 9);
    const LossResult result = reference_loss(LossOptions{}, normalizer, rows);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      for (std::size_t t = 0; t < rows[i].logprob.size(); ++t) {
        const double h = 1e-6, at = rows[i].logprob[t];
        rows[i].logprob[t] = at + h;
        const double up = reference_loss(LossOptions{}, normalizer, rows).loss;
        rows[i].logprob[t] = at - h;
        const double down = reference_loss(LossOptions{}, normalizer, rows).loss;
        rows[i].logprob[t] = at;
        EXPECT_NEAR((up - down) / (2 * h), result.gradient[i][t], 1e-7) << i << ' ' << t;
      }
    }
  }
}

// T1: on-policy, clipping is REINFORCE: the gradient is - omega v A.
TEST(Reference, OnPolicyTheGradientIsThatOfReinforce) {
  std::vector<LossRow> rows = rows_of_groups(5, 12);
  for (LossRow& row : rows) {
    row.old.clear();
    row.rollout = row.logprob;
  }
  for (const Normalizer& normalizer : all_normalizers()) {
    std::vector<RowSize> sizes;
    for (const auto& row : rows)
      sizes.push_back({row.group, static_cast<std::uint32_t>(row.logprob.size())});
    const auto omega = token_weights(normalizer, sizes);
    const LossResult result = reference_loss(LossOptions{}, normalizer, rows);
    for (std::size_t i = 0; i < rows.size(); ++i)
      for (const double g : result.gradient[i])
        EXPECT_EQ(g, -omega[i] * rows[i].weight * rows[i].advantage);
  }
}

// T2: micro-batches with the weights of the whole add up to the whole.
RC_GTEST_PROP(Reference, PartsWithGlobalDenominatorsAddUp, ()) {
  const auto seed = *rc::gen::arbitrary<std::uint64_t>();
  const auto cut = *rc::gen::inRange<std::size_t>(0, 13);
  const std::vector<LossRow> rows = rows_of_groups(seed, 12);
  for (const Normalizer& normalizer : all_normalizers()) {
    std::vector<RowSize> sizes;
    for (const auto& row : rows)
      sizes.push_back({row.group, static_cast<std::uint32_t>(row.logprob.size())});
    const auto omega = token_weights(normalizer, sizes);
    const LossResult whole = reference_loss(LossOptions{}, normalizer, rows);
    const std::span<const LossRow> all(rows);
    const std::span<const double> weights(omega);
    LossResult a = reference_loss(LossOptions{}, all.first(cut), weights.first(cut));
    const LossResult b = reference_loss(LossOptions{}, all.subspan(cut), weights.subspan(cut));
    RC_ASSERT(std::abs(a.loss + b.loss - whole.loss) < 1e-12 * (1 + std::abs(whole.loss)));
    a.sums.add(b.sums);
    RC_ASSERT(a.sums.tokens == whole.sums.tokens);
    auto gradient = flat(a.gradient);
    const auto rest = flat(b.gradient);
    gradient.insert(gradient.end(), rest.begin(), rest.end());
    RC_ASSERT(gradient == flat(whole.gradient));
  }
}

// T11: the order of rows and the names of groups mean nothing.
RC_GTEST_PROP(Reference, OrderOfRowsAndNamesOfGroupsMeanNothing, ()) {
  const auto seed = *rc::gen::arbitrary<std::uint64_t>();
  const std::vector<LossRow> rows = rows_of_groups(seed, 10);
  std::vector<std::size_t> order(rows.size());
  std::iota(order.begin(), order.end(), 0);
  RandomStream random({seed, RandomUse::Test, 1});
  random.shuffle(std::span<std::size_t>(order));
  std::vector<LossRow> shuffled;
  for (const std::size_t i : order) {
    shuffled.push_back(rows[i]);
    shuffled.back().group = 1000 - 7 * rows[i].group;
  }
  for (const Normalizer& normalizer : all_normalizers()) {
    const LossResult a = reference_loss(LossOptions{}, normalizer, rows);
    const LossResult b = reference_loss(LossOptions{}, normalizer, shuffled);
    RC_ASSERT(std::abs(a.loss - b.loss) < 1e-12 * (1 + std::abs(a.loss)));
    for (std::size_t i = 0; i < order.size(); ++i) RC_ASSERT(b.gradient[i] == a.gradient[order[i]]);
  }
}

// T15: a weight scales its own row's gradient and no other's.
TEST(Reference, AWeightScalesItsOwnRowOnly) {
  const std::vector<LossRow> rows = rows_of_groups(3, 8);
  for (const Normalizer& normalizer : all_normalizers()) {
    const LossResult before = reference_loss(LossOptions{}, normalizer, rows);
    for (std::size_t changed = 0; changed < rows.size(); ++changed) {
      std::vector<LossRow> scaled = rows;
      scaled[changed].weight *= 4;
      const LossResult after = reference_loss(LossOptions{}, normalizer, scaled);
      for (std::size_t i = 0; i < rows.size(); ++i)
        for (std::size_t t = 0; t < rows[i].logprob.size(); ++t)
          EXPECT_EQ(after.gradient[i][t], before.gradient[i][t] * (i == changed ? 4 : 1));
    }
  }
}

// T9: nothing overflows, and rows without tokens or advantage stay without gradient.
TEST(Reference, ExtremeRatiosGiveFiniteLosses) {
  const double inf = std::numeric_limits<double>::infinity();
  std::vector<LossRow> rows(4);
  for (std::size_t i = 0; i < 4; ++i) {
    rows[i].advantage = i % 2 == 0 ? 1 : -1;
    rows[i].logprob = {i < 2 ? -0.5 : -900.0};
    rows[i].old = {i < 2 ? -inf : -0.5};
  }
  const LossResult result = reference_loss(LossOptions{}, {Aggregation::TokenMean}, rows);
  EXPECT_TRUE(std::isfinite(result.loss));
  EXPECT_EQ(result.sums.clamped, 4);
  for (const double g : flat(result.gradient)) EXPECT_EQ(g, 0);
}

TEST(Reference, AnEmptyBatchHasLossZero) {
  EXPECT_EQ(reference_loss(LossOptions{}, {Aggregation::TokenMean}, {}).loss, 0);
  const std::vector<LossRow> rows(2);
  EXPECT_EQ(reference_loss(LossOptions{}, {Aggregation::PromptMean}, rows).loss, 0);
}

TEST(Reference, RefusesMissingAnchorsAndWhatIsNotANumber) {
  const double nan = std::nan("");
  auto rows = golden_rows(1);
  rows[2].anchor = Anchor::Behaviour;
  rows[2].rollout.clear();
  EXPECT_THROW(reference_loss(LossOptions{}, {Aggregation::TokenMean}, rows), Error);
  rows = golden_rows(nan);
  EXPECT_THROW(reference_loss(LossOptions{}, {Aggregation::TokenMean}, rows), Error);
  rows = golden_rows(1);
  rows[0].logprob[1] = nan;
  EXPECT_THROW(reference_loss(LossOptions{}, {Aggregation::TokenMean}, rows), Error);
  // T18: poison in a field that no row asks for has no effect.
  rows = golden_rows(1);
  const double loss = reference_loss(LossOptions{}, {Aggregation::TokenMean}, rows).loss;
  for (LossRow& row : rows) row.rollout.assign(row.logprob.size(), nan);
  EXPECT_EQ(reference_loss(LossOptions{}, {Aggregation::TokenMean}, rows).loss, loss);
}

}  // namespace
}  // namespace allot::objective
