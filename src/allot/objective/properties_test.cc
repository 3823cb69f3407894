// T1 to T6, T9 to T12, T15, T18, T19 of the objectives for every preset and level.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "allot/core/random.h"
#include "allot/objective/presets.h"
#include "allot/objective/reference.h"
#include "allot/objective/requirements.h"
#include "allot/objective/surrogate.h"
#include "allot/objective/testing/settings.h"

namespace allot::objective {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// A preset with what it leaves to the user.
LossOptions ready(std::string_view name) {
  LossOptions o;
  o.preset = std::string(name);
  o.curvature.lr = .1;
  if (o.expanded().has_mask("curvature")) o.curvature.delta_f = o.curvature.delta_h = .05;
  return o.expanded();
}

TopK top_three(RandomStream& random) {
  TopK top;
  top.ids = {0, 1, 2};
  for (int k = 0; k < 3; ++k) {
    top.rollout.push_back(std::log(.1 + .2 * random.uniform()));
    top.current.push_back(std::log(.1 + .2 * random.uniform()));
    top.old.push_back(std::log(.1 + .2 * random.uniform()));
  }
  return top;
}

// Rows of uneven lengths and groups with every field.
std::vector<LossRow> random_rows(std::uint64_t seed, std::size_t count, double noise = .15) {
  RandomStream random({seed, RandomUse::Test});
  std::vector<LossRow> rows(count);
  for (std::size_t i = 0; i < count; ++i) {
    LossRow& row = rows[i];
    row.group = static_cast<std::uint32_t>(random.below(4));
    row.advantage = random.below(6) == 0 ? 0 : random.normal();
    row.weight = .5 + random.uniform();
    row.log_partition = random.normal();
    row.truncated = random.below(5) == 0;
    row.rollout_id = i;
    for (std::uint64_t t = random.below(7); t > 0; --t) {
      row.logprob.push_back(-.2 - 2 * random.uniform());
      for (auto* field : {&row.old, &row.rollout, &row.reference})
        field->push_back(row.logprob.back() + noise * random.normal());
      row.entropy.push_back(random.uniform());
      row.mask.push_back(random.below(6) == 0 ? 0 : 1);
      row.top.push_back(top_three(random));
      row.token_ids.push_back(static_cast<std::int64_t>(random.below(4)));
      row.hidden.push_back({random.normal(), random.normal()});
    }
  }
  return rows;
}

std::vector<Normalizer> normalizers() {
  return {{Aggregation::TokenMean},
          {Aggregation::TokenSum},
          {Aggregation::SeqMeanTokenMean},
          {Aggregation::SeqMeanTokenSum},
          {Aggregation::SeqMeanTokenSumNorm, 0, 12},
          {Aggregation::PromptMean}};
}

// T4 and T10: central differences of the value, with everything detached held, are the gradient of
// both modes: so no gradient passes through b, k, A, omega, w or phi.
TEST(Properties, T4T10GradientsAreCentralDifferences) {
  for (const PresetRow& preset : presets()) {
    SCOPED_TRACE(preset.name);
    const LossOptions o = ready(preset.name);
    const auto fixed = random_rows(17, 8);
    const StepTerms terms = step_terms(o, {Aggregation::SeqMeanTokenMean}, fixed, keyed_draw(1, 2));
    const LossResult result = reference_loss(o, fixed, terms.rows, 0);
    EXPECT_NEAR(reference_value(o, fixed, fixed, terms.rows), result.loss, 1e-12);
    auto rows = fixed;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      for (std::size_t t = 0; t < rows[i].logprob.size(); ++t) {
        const double at = rows[i].logprob[t], h = 1e-6;
        rows[i].logprob[t] = at + h;
        const double up = reference_value(o, rows, fixed, terms.rows);
        rows[i].logprob[t] = at - h;
        const double down = reference_value(o, rows, fixed, terms.rows);
        rows[i].logprob[t] = at;
        const double g = result.gradient[i][t];
        EXPECT_NEAR((up - down) / (2 * h), g, 1e-6 * (1 + std::abs(g))) << i << ' ' << t;
      }
    }
  }
}

TEST(Properties, T4AllLevelsAndAggregations) {
  for (const char* level :
       {"token", "sequence_geometric", "sequence_geometric_token", "sequence_product"}) {
    for (const char* surrogate : {"ppo_clip", "soft", "clipped_weight"}) {
      for (const Normalizer& normalizer : normalizers()) {
        SCOPED_TRACE(concat(level, ' ', surrogate));
        LossOptions o = options_of({{"preset", "custom"},
                                    {"level", level},
                                    {"surrogate", surrogate},
                                    {"weight_max", "1.3"}});
        o = o.expanded();
        const auto fixed = random_rows(23, 6);
        const StepTerms terms = step_terms(o, normalizer, fixed, keyed_draw(1, 2));
        const LossResult result = reference_loss(o, fixed, terms.rows, 0);
        auto rows = fixed;
        for (std::size_t i = 0; i < rows.size(); ++i) {
          for (std::size_t t = 0; t < rows[i].logprob.size(); ++t) {
            const double at = rows[i].logprob[t], h = 1e-6;
            rows[i].logprob[t] = at + h;
            const double up = reference_value(o, rows, fixed, terms.rows);
            rows[i].logprob[t] = at - h;
            const double down = reference_value(o, rows, fixed, terms.rows);
            rows[i].logprob[t] = at;
            const double g = result.gradient[i][t];
            EXPECT_NEAR((up - down) / (2 * h), g, 1e-6 * (1 + std::abs(g))) << i << ' ' << t;
          }
        }
      }
    }
  }
}

// T1: with all policies equal every surrogate has the gradient of REINFORCE.
TEST(Properties, T1OnPolicyAllSurrogatesAgree) {
  auto rows = random_rows(5, 10, 0);
  const Normalizer normalizer{Aggregation::SeqMeanTokenMean};
  const LossOptions plain =
      options_of({{"preset", "custom"}, {"surrogate", "reinforce"}}).expanded();
  const LossResult expected = reference_loss(plain, normalizer, rows);
  for (const char* name : {"custom", "cispo", "dppo", "sapo", "vespo", "gspo", "gspo_token", "gmpo",
                           "pg_tis", "minirl", "tis", "icepop", "mis", "geo_rs", "intellect2"}) {
    const LossResult found = reference_loss(ready(name), normalizer, rows);
    for (std::size_t i = 0; i < rows.size(); ++i)
      for (std::size_t t = 0; t < rows[i].logprob.size(); ++t)
        EXPECT_NEAR(found.gradient[i][t], expected.gradient[i][t], 1e-12) << name;
  }
}

// T2: any parts, taken with the terms of the whole step, add up to it, for every preset.
RC_GTEST_PROP(Properties, T2PartsAddUpToTheWhole, ()) {
  const auto seed = *rc::gen::arbitrary<std::uint64_t>();
  const auto cut = *rc::gen::inRange<std::size_t>(0, 13);
  const auto rows = random_rows(seed, 12);
  const std::span<const LossRow> all(rows);
  const auto& preset = presets()[*rc::gen::inRange<std::size_t>(0, presets().size())];
  const LossOptions o = ready(preset.name);
  for (const Normalizer& normalizer : normalizers()) {
    const StepTerms terms = step_terms(o, normalizer, rows, keyed_draw(seed, 1));
    const std::span<const RowTerms> parts(terms.rows);
    const LossResult whole = reference_loss(o, rows, terms.rows, .1);
    const LossResult a = reference_loss(o, all.first(cut), parts.first(cut), .1);
    const LossResult b = reference_loss(o, all.subspan(cut), parts.subspan(cut), .1);
    RC_ASSERT(std::abs(a.loss + b.loss - whole.loss) < 1e-12 * (1 + std::abs(whole.loss)));
    for (std::size_t i = 0; i < rows.size(); ++i)
      RC_ASSERT((i < cut ? a.gradient[i] : b.gradient[i - cut]) == whole.gradient[i]);
  }
}

// T2 without seeing the whole: where needs_whole_step() is false, a part's terms follow from the
// counts alone, and what is reported adds up.
RC_GTEST_PROP(Properties, T2TermsOfPartsFollowFromTheCounts, ()) {
  const auto seed = *rc::gen::arbitrary<std::uint64_t>();
  const auto cut = *rc::gen::inRange<std::size_t>(0, 13);
  const auto rows = random_rows(seed, 12);
  const std::span<const LossRow> all(rows);
  std::vector<RowShape> shapes;
  for (const LossRow& row : rows) {
    const double tokens = std::accumulate(row.mask.begin(), row.mask.end(), 0.0);
    shapes.push_back({row.group, static_cast<std::size_t>(tokens), row.truncated});
  }
  for (const PresetRow& preset : presets()) {
    LossOptions o = ready(preset.name);
    if (seed % 2 == 0) o.masks.emplace_back("truncated");
    const Normalizer normalizer{Aggregation::PromptMean};
    if (needs_whole_step(o)) {
      RC_ASSERT_THROWS_AS(part_terms(o, normalizer, {}, rows), Error);
      continue;
    }
    const GlobalCounts counts = step_counts(o, shapes);
    const StepTerms whole = step_terms(o, normalizer, rows, keyed_draw(seed, 1));
    StepTerms a = part_terms(o, normalizer, counts, all.first(cut));
    const StepTerms b = part_terms(o, normalizer, counts, all.subspan(cut));
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const RowTerms& part = i < cut ? a.rows[i] : b.rows[i - cut];
      RC_ASSERT(part.omega == whole.rows[i].omega);
      RC_ASSERT(part.mask == whole.rows[i].mask);
      RC_ASSERT(part.factor == whole.rows[i].factor);
      RC_ASSERT(part.sequence_weight == whole.rows[i].sequence_weight);
      RC_ASSERT(part.entropy_weight == whole.rows[i].entropy_weight);
    }
    a.sums.add(b.sums);
    const std::vector<Metric> found = a.sums.metrics(), expected = whole.sums.metrics();
    RC_ASSERT(found.size() == expected.size());
    for (std::size_t m = 0; m < found.size(); ++m) {
      RC_ASSERT(found[m].name == expected[m].name);
      RC_ASSERT(std::abs(found[m].value - expected[m].value) <
                1e-9 * (1 + std::abs(expected[m].value)));
    }
  }
}

TEST(Properties, TheEntropyGradientIsACentralDifference) {
  const LossOptions o = ready("dapo");
  auto rows = random_rows(3, 6);
  const StepTerms terms = step_terms(o, {Aggregation::PromptMean}, rows, keyed_draw(1, 2));
  const LossResult result = reference_loss(o, rows, terms.rows, .3);
  EXPECT_TRUE(reference_loss(o, rows, terms.rows, 0).entropy_gradient.empty());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::size_t t = 0; t < rows[i].entropy.size(); ++t) {
      const double at = rows[i].entropy[t], h = 1e-3;
      rows[i].entropy[t] = at + h;
      const double up = reference_loss(o, rows, terms.rows, .3).loss;
      rows[i].entropy[t] = at - h;
      const double down = reference_loss(o, rows, terms.rows, .3).loss;
      rows[i].entropy[t] = at;
      EXPECT_NEAR((up - down) / (2 * h), result.entropy_gradient[i][t], 1e-10);
    }
  }
}

// T2, the other half: counts of ranks add up, and D makes their averaged gradients the whole.
TEST(Properties, T2RanksAverageToTheWhole) {
  const std::vector<RowMass> rows = {{1, 3}, {1, 2}, {2, 4}, {3, 1}, {3, 0}};
  const std::span<const RowMass> all(rows);
  GlobalCounts counts = counts_of(all.first(2));
  counts.add(counts_of(all.subspan(2)));
  for (const Normalizer& normalizer : normalizers()) {
    const auto whole = token_weights(normalizer, rows, counts_of(rows));
    counts.ranks = 2;
    const auto first = token_weights(normalizer, all.first(2), counts);
    const auto second = token_weights(normalizer, all.subspan(2), counts);
    for (std::size_t i = 0; i < rows.size(); ++i)
      EXPECT_NEAR((i < 2 ? first[i] : second[i - 2]) / 2, whole[i], 1e-15);
  }
  EXPECT_THROW(token_weights({Aggregation::TokenMean}, rows, GlobalCounts{}), Error);
}

// T3: the binary mask with delta = eps mu is the clip at eps.
RC_GTEST_PROP(Properties, T3BinaryTvIsAClipOfWidthDeltaOverMu, ()) {
  RandomStream random({*rc::gen::arbitrary<std::uint64_t>(), RandomUse::Test});
  LossRow row;
  const double mu = -.1 - 2 * random.uniform(), eps = .2;
  row.logprob = {mu + .3 * random.normal()};
  RC_PRE(row.logprob[0] < 0);
  RC_PRE(std::abs(std::abs(std::exp(row.logprob[0] - mu) - 1) - eps) > 1e-9);
  row.rollout = row.old = {mu};
  row.advantage = random.normal();
  LossOptions tv = options_of({{"preset", "dppo"}}).expanded();
  tv.divergence.delta_low = tv.divergence.delta_high = eps * std::exp(mu);
  LossOptions clip = options_of({{"preset", "minirl"}, {"clip_high", ".2"}}).expanded();
  const auto factor = [&](const LossOptions& o) {
    return step_terms(o, {Aggregation::TokenMean}, {&row, 1}, keyed_draw(0, 0)).rows[0].factor[0];
  };
  RC_ASSERT(factor(tv) == factor(clip));
}

// T5: trust regions never block a move back toward the anchor, and the sides swap with A.
RC_GTEST_PROP(Properties, T5MasksNeverBlockTheWayBack, ()) {
  RandomStream random({*rc::gen::arbitrary<std::uint64_t>(), RandomUse::Test});
  for (const char* name : {"minirl", "dppo"}) {
    const LossOptions o = ready(name);
    LossRow row;
    row.logprob = {-.05 - 3 * random.uniform()};
    row.old = row.rollout = {-.05 - 3 * random.uniform()};
    row.advantage = random.normal();
    const auto kept = [&](double advantage) {
      row.advantage = advantage;
      return step_terms(o, {Aggregation::TokenMean}, {&row, 1}, keyed_draw(0, 0)).rows[0].factor[0];
    };
    const bool up = row.logprob[0] > row.old[0];
    const double size = .1 + random.uniform();
    RC_ASSERT(kept(up ? -size : size) == 1);
    RC_ASSERT(kept(size) == 1 || kept(-size) == 1);
  }
}

// T6: GSPO and its form by token have one gradient where A is constant in a response.
RC_GTEST_PROP(Properties, T6GspoTokenIsGspo, ()) {
  const auto rows = random_rows(*rc::gen::arbitrary<std::uint64_t>(), 8);
  const Normalizer normalizer{Aggregation::SeqMeanTokenMean};
  const LossResult a = reference_loss(ready("gspo"), normalizer, rows);
  const LossResult b = reference_loss(ready("gspo_token"), normalizer, rows);
  RC_ASSERT(std::abs(a.loss - b.loss) < 1e-12);
  for (std::size_t i = 0; i < rows.size(); ++i)
    for (std::size_t t = 0; t < rows[i].logprob.size(); ++t)
      RC_ASSERT(std::abs(a.gradient[i][t] - b.gradient[i][t]) < 1e-12);
}

// T9: nothing overflows, whatever the anchors; rows without tokens or advantage add nothing.
TEST(Properties, T9ExtremeInputsGiveFiniteNumbers) {
  const double inf = std::numeric_limits<double>::infinity();
  for (const PresetRow& preset : presets()) {
    SCOPED_TRACE(preset.name);
    auto rows = random_rows(3, 6);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (rows[i].logprob.empty()) continue;
      rows[i].old[0] = i % 2 == 0 ? -inf : -1e-9;
      rows[i].rollout[0] = i % 2 == 1 ? -inf : -1e-9;
      rows[i].reference[0] = -700;
      rows[i].logprob[0] = i % 2 == 0 ? -1e-12 : -800;
    }
    const LossResult result =
        reference_loss(ready(preset.name), {Aggregation::SeqMeanTokenMean}, rows);
    EXPECT_TRUE(std::isfinite(result.loss));
    for (const auto& row : result.gradient)
      for (const double g : row) EXPECT_TRUE(std::isfinite(g));
    for (LossRow& row : rows) row.mask.assign(row.logprob.size(), 0);
    const LossResult nothing =
        reference_loss(ready(preset.name), {Aggregation::SeqMeanTokenMean}, rows);
    EXPECT_EQ(nothing.loss, 0);
    EXPECT_EQ(reference_loss(ready(preset.name), {Aggregation::TokenMean}, {}).loss, 0);
  }
}

// T11: the order of rows and the names of groups mean nothing, for every preset.
RC_GTEST_PROP(Properties, T11OrderAndNamesMeanNothing, ()) {
  const auto seed = *rc::gen::arbitrary<std::uint64_t>();
  const auto rows = random_rows(seed, 10);
  const auto& preset = presets()[*rc::gen::inRange<std::size_t>(0, presets().size())];
  std::vector<std::size_t> order(rows.size());
  std::iota(order.begin(), order.end(), 0);
  RandomStream random({seed, RandomUse::Test, 1});
  random.shuffle(std::span<std::size_t>(order));
  std::vector<LossRow> shuffled;
  for (const std::size_t i : order) {
    shuffled.push_back(rows[i]);
    shuffled.back().group = 1000 - 7 * rows[i].group;
  }
  const LossOptions o = ready(preset.name);
  for (const Normalizer& normalizer : normalizers()) {
    const LossResult a = reference_loss(o, normalizer, rows);
    const LossResult b = reference_loss(o, normalizer, shuffled);
    RC_ASSERT(std::abs(a.loss - b.loss) < 1e-11 * (1 + std::abs(a.loss)));
    for (std::size_t i = 0; i < order.size(); ++i)
      for (std::size_t t = 0; t < a.gradient[order[i]].size(); ++t)
        RC_ASSERT(std::abs(b.gradient[i][t] - a.gradient[order[i]][t]) <
                  1e-11 * (1 + std::abs(b.gradient[i][t])));
  }
}

// T12: a row that is not scorable changes nothing, wherever it stands.
TEST(Properties, T12AnUnscorableRowChangesNothing) {
  for (const PresetRow& preset : presets()) {
    SCOPED_TRACE(preset.name);
    const auto rows = random_rows(8, 7);
    auto more = rows;
    more.push_back(random_rows(9, 1, .9)[0]);
    more.back().scorable = false;
    more.back().group = rows[0].group;
    const LossOptions o = ready(preset.name);
    for (const Normalizer& normalizer : normalizers()) {
      const LossResult a = reference_loss(o, normalizer, rows);
      const LossResult b = reference_loss(o, normalizer, more);
      EXPECT_EQ(a.loss, b.loss);
      for (std::size_t i = 0; i < rows.size(); ++i) EXPECT_EQ(a.gradient[i], b.gradient[i]);
      for (const double g : b.gradient.back()) EXPECT_EQ(g, 0);
    }
  }
}

// T15: an item's weight scales its own row and no other. A KL term has no such weight.
TEST(Properties, T15AWeightScalesItsOwnRow) {
  for (const char* name : {"dapo", "gspo", "cispo", "vespo", "gmpo", "tis", "flow_rl", "jackpot"}) {
    const auto rows = random_rows(4, 6);
    const Normalizer normalizer{Aggregation::PromptMean};
    const LossResult before = reference_loss(ready(name), normalizer, rows);
    for (std::size_t changed = 0; changed < rows.size(); ++changed) {
      auto scaled = rows;
      scaled[changed].weight *= 4;
      const LossResult after = reference_loss(ready(name), normalizer, scaled);
      for (std::size_t i = 0; i < rows.size(); ++i)
        for (std::size_t t = 0; t < rows[i].logprob.size(); ++t)
          EXPECT_EQ(after.gradient[i][t], before.gradient[i][t] * (i == changed ? 4 : 1)) << name;
    }
  }
}

// T18: poison in a field that the loss does not ask for has no effect.
TEST(Properties, T18FieldsThatAreNotAskedForHaveNoEffect) {
  for (const PresetRow& preset : presets()) {
    SCOPED_TRACE(preset.name);
    const LossOptions o = ready(preset.name);
    const Requirements needs = requirements(o);
    const auto rows = random_rows(12, 6);
    auto poisoned = rows;
    for (LossRow& row : poisoned) {
      const std::size_t n = row.logprob.size();
      if (!needs.rollout) row.rollout.assign(n, kNan);
      if (!needs.old) row.old.assign(n, kNan);
      if (!needs.reference) row.reference.assign(n, kNan);
      if (!needs.log_partition) row.log_partition = kNan;
      if (!needs.top_k) row.top.clear();
      if (!needs.hidden) row.hidden.clear();
      if (!needs.entropy) row.entropy.clear();
      if (!needs.truncated) row.truncated = !row.truncated;
    }
    const Normalizer normalizer{Aggregation::SeqMeanTokenMean};
    const LossResult a = reference_loss(o, normalizer, rows);
    const LossResult b = reference_loss(o, normalizer, poisoned);
    EXPECT_EQ(a.loss, b.loss);
    EXPECT_EQ(a.gradient, b.gradient);
  }
}

// And a field that it does ask for is missed.
TEST(Properties, AMissingRequirementIsRefused) {
  for (const PresetRow& preset : presets()) {
    SCOPED_TRACE(preset.name);
    const LossOptions o = ready(preset.name);
    const Requirements needs = requirements(o);
    const auto refuses = [&](auto change) {
      auto rows = random_rows(12, 6);
      for (LossRow& row : rows) change(row);
      try {
        (void)reference_loss(o, {Aggregation::SeqMeanTokenMean}, rows);
      } catch (const Error& error) {
        return error.kind() == ErrorKind::Data;
      }
      return false;
    };
    if (needs.rollout && !o.has_mask("off_policy_sequence")) {  // which then compares with old
      EXPECT_TRUE(refuses([](LossRow& row) { row.rollout.clear(); }));
    }
    if (needs.reference && o.kl.placement != KlPlacement::InReward) {
      EXPECT_TRUE(refuses([](LossRow& row) { row.reference.clear(); }));
    }
    if (needs.top_k) {
      EXPECT_TRUE(refuses([](LossRow& row) { row.top.clear(); }));
    }
    if (needs.hidden) {
      EXPECT_TRUE(refuses([](LossRow& row) { row.hidden.clear(); }));
    }
    if (needs.entropy) {
      EXPECT_TRUE(refuses([](LossRow& row) { row.entropy.clear(); }));
    }
  }
}

// T19: coefficients are not negative, and 1 at a ratio of 1.
RC_GTEST_PROP(Properties, T19CoefficientsAreNotNegativeAndOneAtOne, ()) {
  RandomStream random({*rc::gen::arbitrary<std::uint64_t>(), RandomUse::Test});
  const double log_ratio = 4 * random.uniform() - 2, advantage = random.normal();
  for (const char* name : {"custom", "cispo", "sapo", "vespo", "rloo"}) {
    const LossOptions o = ready(name);
    const auto coefficient = [&](double log) {
      return is_detached_weight(o.surrogate) ? detached_weight(o, log, advantage)
                                             : surrogate(o, std::exp(log), advantage).coefficient;
    };
    RC_ASSERT(coefficient(log_ratio) >= 0);
    RC_ASSERT(std::abs(coefficient(0) - 1) < 1e-12);
  }
}

}  // namespace
}  // namespace allot::objective
