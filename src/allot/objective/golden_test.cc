// G1, G6 and G7: composed losses on the golden batch, each as the settings that a user would give.
#include "allot/objective/testing/golden.h"

#include <cmath>
#include <initializer_list>
#include <utility>

#include <gtest/gtest.h>

#include "allot/objective/reference.h"
#include "allot/objective/testing/settings.h"

namespace allot::objective {
namespace {

using Settings = std::vector<std::pair<const char*, const char*>>;

struct Case {
  const char* name;
  double advantage;
  Settings settings;
  Aggregation aggregation;
  double loss;
  std::vector<double> gradient;
  double divisor = 0;
};

double z() { return 0.5 / (std::sqrt(1.0 / 3) + 1e-4); }

constexpr Aggregation kTokens = Aggregation::TokenMean;
constexpr Aggregation kSequences = Aggregation::SeqMeanTokenMean;
constexpr Aggregation kSums = Aggregation::SeqMeanTokenSum;

// The same value for every token of a sequence.
std::vector<double> by_sequence(double a, double b, double c, double d) {
  return {a, a, a, b, b, c, c, c, c, d};
}

void expect_case(const Case& c) {
  SCOPED_TRACE(c.name);
  const LossOptions options = options_of(c.settings);
  options.validate();
  const LossResult result =
      reference_loss(options, {c.aggregation, 0, c.divisor}, golden_rows(c.advantage));
  EXPECT_NEAR(result.loss, c.loss, 1e-6);
  std::vector<double> gradient;
  for (const auto& row : result.gradient) gradient.insert(gradient.end(), row.begin(), row.end());
  ASSERT_EQ(gradient.size(), c.gradient.size());
  for (std::size_t i = 0; i < gradient.size(); ++i)
    EXPECT_NEAR(gradient[i], c.gradient[i], 1e-6) << i;
}

TEST(Golden, G1Compositions) {
  const Case cases[] = {
      {"GRPO with k3",
       z(),
       {{"preset", "grpo"}},
       kSequences,
       0.24245351,
       {-.080752, .001312, -.073515, .093168, -.005069, -.054612, -.039557, .001668, -.052620,
        .512782}},
      {"GSPO",
       z(),
       {{"preset", "gspo"}, {"clip_low", ".05"}, {"clip_high", ".05"}},
       kSequences,
       0.26119413,
       by_sequence(0, 0, -.055905, .506461)},
      {"GSPO-token",
       z(),
       {{"preset", "gspo_token"}, {"clip_low", ".05"}, {"clip_high", ".05"}},
       kSequences,
       0.26119413,
       by_sequence(0, 0, -.055905, .506461)},
      {"CISPO 1.5",
       z(),
       {{"preset", "cispo"}, {"weight_max", "1.5"}},
       kTokens,
       0.27117985,
       {-.097627, -.116881, -.088337, .075276, .058041, -.087458, -.061017, -.129881, -.084028,
        .129881}},
      {"Divergence PPO, TV .10",
       .5,
       {{"preset", "dppo"},
        {"weight_max", "1e9"},
        {"divergence.delta_low", ".1"},
        {"divergence.delta_high", ".1"}},
       kTokens,
       0.21641363,
       {-.055259, 0, -.050503, 0, .027441, -.050503, -.040937, -.122980, -.047561, .122980}},
      {"Divergence PPO, KL .02",
       .5,
       {{"preset", "dppo"},
        {"weight_max", "1e9"},
        {"divergence.kind", "binary_kl"},
        {"divergence.delta_low", ".02"},
        {"divergence.delta_high", ".02"}},
       kTokens,
       0.02950081,
       {-.055259, 0, -.050503, 0, 0, -.050503, -.040937, 0, -.047561, .122980}},
      {"SAPO",
       z(),
       {{"preset", "sapo"}},
       kSequences,
       0.10674032,
       {-.081026, -.094480, -.073606, .093653, .070421, -.054660, -.037316, -.080458, -.052506,
        .320183}},
      {"PPO + TIS 1.1",
       z(),
       {{"preset", "tis"}, {"mismatch.max", "1.1"}},
       kTokens,
       -0.30447314,
       {-.095694, 0, -.087458, .074527, 0, -.087458, -.067119, 0, -.082365, .212971}},
      {"PPO + IcePop",
       z(),
       {{"preset", "icepop"}, {"mismatch.min", ".9"}, {"mismatch.max", "1.1"}},
       kTokens,
       -0.06547660,
       {-.095694, 0, -.087458, .074527, 0, -.087458, 0, 0, -.082365, .212971}},
      {"REINFORCE",
       .5,
       {{"preset", "custom"}, {"surrogate", "reinforce"}},
       kSums,
       0.19125000,
       by_sequence(-.125, .125, -.125, .125)},
  };
  for (const Case& c : cases) expect_case(c);
}

TEST(Golden, G6Weights) {
  const Case cases[] = {
      {"CISPO 5",
       z(),
       {{"preset", "cispo"}},
       kTokens,
       0.25460064,
       {-.097627, -.116881, -.088337, .075276, .058041, -.087458, -.061017, -.142759, -.084028,
        .202584}},
      {"CISPO relative band",
       z(),
       {{"preset", "cispo"}, {"weight_eps_low", ".2"}, {"weight_eps_high", ".2"}},
       kTokens,
       0.20336887,
       {-.097627, -.103905, -.088337, .075276, .069270, -.087458, -.069270, -.103905, -.084028,
        .103905}},
      {"PG-TIS 1.3",
       .5,
       {{"preset", "pg_tis"}, {"weight_max", "1.3"}},
       kTokens,
       0.16207746,
       {-.055259, -.065000, -.050503, .043035, .027441, -.050503, -.040937, -.065000, -.047561,
        .065000}},
      {"MiniRL",
       .5,
       {{"preset", "minirl"}},
       kTokens,
       0.01013488,
       {-.055259, 0, -.050503, .043035, 0, -.050503, -.040937, 0, -.047561, .122980}},
      {"Divergence PPO, TV, by sequence",
       .5,
       {{"preset", "dppo"},
        {"weight_max", "1e9"},
        {"divergence.delta_low", ".1"},
        {"divergence.delta_high", ".1"}},
       kSequences,
       -0.04213330,
       {-.046049, 0, -.042085, 0, .034301, -.031564, -.025585, -.076863, -.029726, .307450}},
      {"Divergence PPO, KL, by sequence",
       .5,
       {{"preset", "dppo"},
        {"weight_max", "1e9"},
        {"divergence.kind", "binary_kl"},
        {"divergence.delta_low", ".02"},
        {"divergence.delta_high", ".02"}},
       kSequences,
       -0.11436287,
       {-.046049, 0, -.042085, 0, 0, -.031564, -.025585, 0, -.029726, .307450}},
      {"GMPO",
       z(),
       {{"preset", "gmpo"}, {"clip_low", ".1"}, {"clip_high", ".1"}},
       kSequences,
       0.26705057,
       {0, 0, -.077647, 0, 0, -.050585, -.050585, 0, -.050585, .506461}},
      {"VESPO",
       z(),
       {{"preset", "vespo"}},
       kTokens,
       0.17328440,
       by_sequence(-.039767, .039475, -.074045, .076086)},
      {"LUSPO",
       z(),
       {{"preset", "luspo"}, {"clip_low", ".05"}, {"clip_high", ".05"}},
       kSums,
       -0.65860406,
       by_sequence(0, 0, -.223620, .506461)},
      {"leave-one-out on the product",
       kGoldenLeaveOneOut,
       {{"preset", "custom"}, {"level", "sequence_product"}},
       kSums,
       0.13346974,
       by_sequence(0, 0, -.189805, .389941)},
  };
  for (const Case& c : cases) expect_case(c);
}

TEST(Golden, G6Corrections) {
  const Case cases[] = {
      {"Seq-TIS 1.5",
       z(),
       {{"preset", "seq_tis"}, {"mismatch.max", "1.5"}},
       kTokens,
       -0.48536221,
       {-.104706, 0, -.094742, .061017, 0, -.131187, -.091526, 0, -.126043, .212971}},
      {"Seq-MIS 1.5",
       z(),
       {{"preset", "mis"}, {"mismatch.max", "1.5"}},
       kTokens,
       0.01925057,
       {-.104706, 0, -.094742, .061017, 0, 0, 0, 0, 0, .212971}},
      {"Geo-RS",
       z(),
       {{"preset", "geo_rs"}, {"rejection.min", ".95"}, {"rejection.max", "1.1"}},
       kTokens,
       -0.08728469,
       {-.097627, 0, -.088337, 0, 0, 0, 0, 0, 0, .202584}},
      {"k3 by token",
       z(),
       {{"preset", "custom"},
        {"masks", "rejection"},
        {"rejection.stat", "k3"},
        {"rejection.max", ".01"},
        {"rejection.min", "0"}},
       kTokens,
       -0.18349535,
       {-.097627, 0, -.088337, .075276, 0, -.087458, 0, 0, -.084028, .202584}},
      {"k3 by sequence",
       z(),
       {{"preset", "custom"},
        {"masks", "rejection"},
        {"rejection.stat", "k3"},
        {"rejection.reduce", "seq_mean"},
        {"rejection.max", ".01"},
        {"rejection.min", "0"}},
       kTokens,
       0.05726094,
       {-.097627, 0, -.088337, .075276, 0, 0, 0, 0, 0, .202584}},
      {"off-policy sequences .3",
       z(),
       {{"preset", "custom"}, {"masks", "off_policy_sequence"}, {"off_policy_delta", ".3"}},
       kTokens,
       -0.42369321,
       {-.097627, 0, -.088337, 0, 0, -.087458, -.061017, 0, -.084028, .202584}},
  };
  for (const Case& c : cases) expect_case(c);
}

// G7: with advantages of zero only the KL is left. Importance weights are of current over old.
TEST(Golden, G7Kl) {
  const auto kl = [](const char* estimator, const char* extra, const char* on) {
    Settings settings = {{"preset", "custom"},
                         {"kl.placement", "in_loss"},
                         {"kl.beta", "1"},
                         {"kl.estimator", estimator}};
    if (extra) settings.push_back({extra, on});
    return settings;
  };
  const std::vector<double> k2 = {.02, .05, .003, -.017, -.07, .002, -.045, .11, -.004, .1};
  const Case cases[] = {
      {"k2", 0, kl("k2", nullptr, ""), kTokens, .16121500, k2},
      {"k3",
       0,
       kl("k3", nullptr, ""),
       kTokens,
       .13748367,
       {.018127, .039347, .002955, -.018530, -.101375, .001980, -.056831, .066713, -.004081,
        .063212}},
      {"k3 through", 0, kl("k3", "kl.straight_through", "true"), kTokens, .13748367, k2},
      {"k1 through", 0, kl("k1", "kl.straight_through", "true"), kTokens, .14900000, k2},
      {"abs",
       0,
       kl("abs", nullptr, ""),
       kTokens,
       .42100000,
       {.1, .1, .1, -.1, -.1, .1, -.1, .1, -.1, .1}},
      {"k3 weighted",
       0,
       kl("k3", "kl.importance_weighted", "true"),
       kTokens,
       .20477473,
       {.022550, .067493, .003061, -.014779, -.046922, .002020, -.031711, .181359, -.003882,
        .233965}},
  };
  for (const Case& c : cases) expect_case(c);
}

TEST(Golden, G1FlowBalance) {
  auto rows = golden_rows(z());
  for (LossRow& row : rows) row.log_partition = .3;
  const LossResult result =
      reference_loss(options_of({{"preset", "flow_rl"}}), {Aggregation::SeqMeanTokenMean}, rows);
  EXPECT_NEAR(result.loss, 185.451483, 1e-5);
  const double per_token[] = {-2.488960, 2.570626, -1.783780, 8.572879};
  const double partition[] = {-7.466879, 5.141253, -7.135119, 8.572879};
  double shared = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    for (const double g : result.gradient[i]) EXPECT_NEAR(g, per_token[i], 1e-6);
    EXPECT_NEAR(result.log_partition[i], partition[i], 1e-6);
    shared += result.log_partition[i];
  }
  EXPECT_NEAR(shared, -.887867, 2e-6);
}

TEST(Golden, G6EdgeStatistics) {
  const auto rows = golden_rows(z());
  const StepTerms terms = step_terms(options_of({{"preset", "tis"}}).expanded(),
                                     {Aggregation::TokenMean}, rows, keyed_draw(0, 0));
  const auto metric = [&](const char* name) {
    for (const Metric& m : terms.metrics())
      if (m.name == name) return m.value;
    return std::nan("");
  };
  EXPECT_NEAR(metric("mismatch/k1"), -.044, 1e-9);
  EXPECT_NEAR(metric("mismatch/k3"), .012933, 1e-6);
  EXPECT_NEAR(metric("mismatch/ess"), 9.752757, 1e-6);
  EXPECT_NEAR(metric("mismatch/chi_square"), .145427, 1e-6);
}

}  // namespace
}  // namespace allot::objective
