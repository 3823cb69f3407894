// G6 (RLOO) and G10, T17, and whole steps from rewards to gradient.
#include "allot/objective/evaluate.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "allot/core/error.h"
#include "allot/core/random.h"
#include "allot/objective/advantage_transform.h"
#include "allot/objective/testing/golden.h"
#include "allot/objective/testing/settings.h"

namespace allot::objective {
namespace {

const std::vector<double> kRewards = {1, 0, 1, 0};

Step golden_step() {
  Step step;
  step.rows = golden_rows(0);
  for (const double r : kRewards) step.rewards.push_back({r});
  return step;
}

// f of the rewards less the penalty, of one group.
ScalarEstimator estimator(TokenStep token_step, std::vector<double> (*f)(std::vector<double>)) {
  return {token_step, 1,
          [f](std::span<const std::vector<double>> rewards, std::span<const std::uint32_t>,
              std::span<const double> penalty) {
            std::vector<double> values;
            for (std::size_t i = 0; i < rewards.size(); ++i)
              values.push_back(rewards[i][0] - penalty[i]);
            return ScalarAdvantages{f(values), std::vector<bool>(rewards.size(), true), {}};
          }};
}

std::vector<double> same(std::vector<double> rewards) { return rewards; }

std::vector<double> leave_one_out(std::vector<double> rewards) {
  double sum = 0;
  for (const double r : rewards) sum += r;
  const double others = static_cast<double>(rewards.size()) - 1;
  for (double& r : rewards) r -= (sum - r) / others;
  return rewards;
}

std::vector<double> centred(std::vector<double> rewards) {
  double sum = 0;
  for (const double r : rewards) sum += r;
  for (double& r : rewards) r -= sum / static_cast<double>(rewards.size());
  return rewards;
}

TEST(Evaluate, G6RlooWithKlInTheReward) {
  const Evaluation result = evaluate(options_of({{"preset", "rloo"}}),
                                     estimator(TokenStep::None, leave_one_out), golden_step());
  const double advantages[] = {.661167, -.647367, .652767, -.666567};
  const double gradients[] = {-.165292, .161842, -.163192, .166642};
  EXPECT_NEAR(result.loss.loss, 0.25443975, 1e-6);
  for (std::size_t i = 0; i < 4; ++i) {
    for (const double a : result.advantages[i]) EXPECT_NEAR(a, advantages[i], 1e-6);
    for (const double g : result.loss.gradient[i]) EXPECT_NEAR(g, gradients[i], 1e-6);
  }
}

void expect_advantages(const Evaluation& result, const std::vector<double>& expected) {
  std::size_t k = 0;
  for (const auto& row : result.advantages)
    for (const double a : row) EXPECT_NEAR(a, expected[k++], 1e-6);
  EXPECT_EQ(k, expected.size());
}

TEST(Evaluate, G10ReinforcePlusPlus) {
  expect_advantages(evaluate(options_of({{"preset", "reinforce_pp"}}),
                             estimator(TokenStep::ReturnToGo, same), golden_step()),
                    {.621200, .622864, .627023, -1.445585, -1.446209, .616833, .617041, .614961,
                     .627439, -1.455567});
  expect_advantages(evaluate(options_of({{"preset", "reinforce_pp"}, {"compat", "openrlhf"}}),
                             estimator(TokenStep::ReturnToGo, same), golden_step()),
                    {.654802, .656556, .660941, -1.523780, -1.524438, .650199, .650418, .648226,
                     .661379, -1.534303});
}

// Written out for a response of three tokens that count, one that does not, and one of one token.
TEST(Evaluate, ADiscountOfReturnsCountsTokensToTheEnd) {
  Step step;
  step.rows.resize(2);
  step.rows[0].logprob = {-.5, -.7, -.9, -.2};
  step.rows[0].reference = {-.6, -.5, -.4, -.5};
  step.rows[0].mask = {1, 1, 0, 1};
  step.rows[1].logprob = step.rows[1].reference = {-1};
  step.rewards = {{1}, {-2}};
  ScalarEstimator discounted = estimator(TokenStep::ReturnToGo, same);
  discounted.gamma = .9;
  const double beta = .01, k[] = {.1, -.2, .3};
  const double returns[] = {.81 - beta * (k[0] + .9 * k[1] + .81 * k[2]),
                            .9 - beta * (k[1] + .9 * k[2]), 1 - beta * k[2], -2};
  double mean = 0, squares = 0;
  for (const double r : returns) mean += r / 4;
  for (const double r : returns) squares += (r - mean) * (r - mean);
  std::vector<double> expected;
  for (const double r : returns) expected.push_back((r - mean) / std::sqrt(squares / 3 + 1e-8));
  expected.insert(expected.begin() + 2, 0);
  expect_advantages(evaluate(options_of({{"preset", "reinforce_pp"}}), discounted, std::move(step)),
                    expected);
}

TEST(Evaluate, AFlowWeighsWholeResponsesByTheirMismatch) {
  const auto with = [](const std::vector<std::pair<const char*, const char*>>& more) {
    std::vector<std::pair<const char*, const char*>> settings = {{"preset", "flow_rl"}};
    settings.insert(settings.end(), more.begin(), more.end());
    Step step;
    step.rows = golden_rows(kGoldenZScore);
    return evaluate(options_of(settings), {}, std::move(step));
  };
  const Evaluation plain = with({});
  const Evaluation weighed = with(
      {{"mismatch.weight", "truncate"}, {"mismatch.level", "sequence"}, {"mismatch.max", "1"}});
  const Evaluation masked = with({{"masks", "off_policy_sequence"}, {"off_policy_delta", ".3"}});
  const std::vector<LossRow> rows = golden_rows(kGoldenZScore);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    double log_rho = 0, off = 0;
    for (std::size_t t = 0; t < rows[i].logprob.size(); ++t) {
      log_rho += rows[i].old[t] - rows[i].rollout[t];
      off += rows[i].rollout[t] - rows[i].logprob[t];
    }
    const bool far = off / static_cast<double>(rows[i].logprob.size()) > .3;
    const double weight = std::min(1.0, std::exp(log_rho)),
                 kept = far && rows[i].advantage < 0 ? 0 : 1;
    EXPECT_NEAR(weighed.loss.log_partition[i], weight * plain.loss.log_partition[i], 1e-12);
    EXPECT_NEAR(masked.loss.log_partition[i], kept * plain.loss.log_partition[i], 1e-12);
    for (std::size_t t = 0; t < rows[i].logprob.size(); ++t)
      EXPECT_NEAR(weighed.loss.gradient[i][t], weight * plain.loss.gradient[i][t], 1e-12);
  }
  EXPECT_LT(weighed.loss.loss, plain.loss.loss);
  EXPECT_LT(masked.loss.loss, plain.loss.loss);
}

TEST(Evaluate, KlIsTakenFromRewardsThatThereAre) {
  Step step;
  step.rows = golden_rows(1);
  try {
    evaluate(options_of({{"preset", "rloo"}}), {}, std::move(step));
    ADD_FAILURE() << "advantages as given were taken for rewards";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("external_advantage"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("loss.kl.placement"), std::string::npos);
  }
}

TEST(Evaluate, G10BaselineWhitenedByToken) {
  const double high = .621059, low = -1.449138;
  expect_advantages(evaluate(options_of({{"preset", "reinforce_pp_baseline"}}),
                             estimator(TokenStep::WhitenByToken, centred), golden_step()),
                    {high, high, high, low, low, high, high, high, high, low});
}

TEST(Evaluate, G2GdpoWhitenedByToken) {
  const double z = .5 / (std::sqrt(1. / 3) + 1e-6), half = .5 + 1e-6;  // of 1010 and 0111
  const double scores[] = {z - .75 / half, -z + .25 / half, z + .25 / half, -z + .25 / half,
                           -.25 / half,    -.25 / half,     -.25 / half,    .75 / half};
  const double expected[] = {-.752732, -.447023, 1.529111, -.447023,
                             -.599878, -.599878, -.599878, 1.681965};
  const std::size_t lengths[] = {3, 2, 4, 1, 2, 2, 3, 1};
  std::vector<LossRow> rows(8);
  for (std::size_t i = 0; i < 8; ++i) {
    rows[i].logprob.assign(lengths[i], -1);
    rows[i].advantage = scores[i];
  }
  Moments moments;
  for (std::size_t i = 0; i < 8; ++i) moments.add(scores[i], static_cast<double>(lengths[i]));
  EXPECT_NEAR(moments.mean, .0257834, 1e-6);
  EXPECT_NEAR(moments.squares / (moments.count - 1), .7682224, 1e-6);
  whiten_by_token(whiten_rule(Compat::Verl), rows);
  for (std::size_t i = 0; i < 8; ++i) EXPECT_NEAR(rows[i].advantage, expected[i], 1e-6) << i;
}

// T17: moments do not depend on how rows are spread over ranks.
RC_GTEST_PROP(Moments, T17ShardsMergeToTheWhole, ()) {
  RandomStream random({*rc::gen::arbitrary<std::uint64_t>(), RandomUse::Test});
  Moments whole, parts[3];
  for (int i = 0; i < 40; ++i) {
    const double x = 5 + random.normal(), w = static_cast<double>(random.below(4));
    whole.add(x, w);
    parts[random.below(3)].add(x, w);
  }
  Moments merged;
  for (const Moments& part : parts) merged.add(part);
  RC_ASSERT(std::abs(merged.count - whole.count) < 1e-12);
  RC_ASSERT(std::abs(merged.mean - whole.mean) < 1e-12);
  RC_ASSERT(std::abs(merged.squares - whole.squares) < 1e-10);
}

TEST(Evaluate, AdvantagesAsGivenNeedNoRewards) {
  Step step;
  step.rows = golden_rows(kGoldenCentred);
  const Evaluation result =
      evaluate(options_of({{"preset", "dr_grpo"}, {"norm_constant", "4"}}), {}, std::move(step));
  EXPECT_NEAR(result.loss.loss, -0.10074615, 1e-6);
}

TEST(Evaluate, TheEntropyBonusIsAMeanOverTrainedTokens) {
  Step step;
  step.rows = golden_rows(0);
  for (LossRow& row : step.rows) row.entropy.assign(row.logprob.size(), .5);
  const Evaluation result =
      evaluate(options_of({{"preset", "custom"}, {"entropy_coef", ".1"}}), {}, step);
  EXPECT_NEAR(result.loss.loss, -.05, 1e-15);
  step.rows[0].entropy.clear();
  EXPECT_THROW(evaluate(options_of({{"preset", "custom"}, {"entropy_coef", ".1"}}), {}, step),
               Error);
}

// Rejection sampling: the drawn form is an unbiased estimate of the expected one's numerator, and
// the same tokens are drawn for every update on a rollout.
TEST(Evaluate, DrawsOfObrsBelongToTheRolloutAndAverageToTheExpectedForm) {
  Step step;
  step.rows = golden_rows(1);
  for (std::size_t i = 0; i < step.rows.size(); ++i) {
    LossRow& row = step.rows[i];
    row.rollout_id = i;
    for (std::size_t t = 0; t < row.logprob.size(); ++t) {
      TopK top;
      top.ids = {0};
      top.rollout = {row.rollout[t]};
      top.old = {row.old[t]};
      top.current = {row.logprob[t]};
      row.top.push_back(top);
      row.token_ids.push_back(0);
    }
  }
  LossOptions o = options_of({{"preset", "jackpot"}, {"obrs.lambda", "1.5"}}).expanded();
  const Normalizer sum{Aggregation::TokenSum};
  const auto kept = [&](std::uint64_t seed) {
    double tokens = 0;
    for (const RowTerms& row : step_terms(o, sum, step.rows, keyed_draw(seed, 7)).rows)
      tokens += row.size();
    return tokens;
  };
  double mean = 0;
  for (std::uint64_t seed = 0; seed < 4000; ++seed) mean += kept(seed) / 4000;
  EXPECT_EQ(kept(5), kept(5));
  o.obrs.expected = true;
  EXPECT_NEAR(mean, kept(0), .1);
}

}  // namespace
}  // namespace allot::objective
