// Against softmax and truncation written out in double precision, by a fine grid of uniforms: the
// share of the grid that gives a token is its probability, so frequencies are exact to the grid.
#include "allot/lm/kernels/decode_sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include <gtest/gtest.h>

#include "allot/core/random.h"
#include "allot/lm/testing/instruction_sets.h"

namespace allot::lm::kernels {
namespace {

std::vector<double> softmax(const std::vector<double>& logits, double temperature) {
  const double max = *std::max_element(logits.begin(), logits.end());
  std::vector<double> p;
  for (const double l : logits) p.push_back(std::exp((l - max) / temperature));
  const double sum = std::accumulate(p.begin(), p.end(), 0.0);
  for (double& x : p) x /= sum;
  return p;
}

// Truncation as the header describes it, step by step.
std::vector<double> truncated(std::vector<double> p, const SamplerSettings& s) {
  std::vector<int> order(p.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return p[a] > p[b]; });
  const auto renormalize = [&] {
    const double sum = std::accumulate(p.begin(), p.end(), 0.0);
    for (double& x : p) x /= sum;
  };
  if (s.top_k > 0) {
    for (std::size_t r = s.top_k; r < order.size(); ++r) p[order[r]] = 0;
    renormalize();
  }
  if (s.top_p < 1) {
    double before = 0;
    for (const int i : order) {
      const double mass = p[i];
      if (before >= s.top_p) p[i] = 0;
      before += mass;
    }
    renormalize();
  }
  const double highest = *std::max_element(p.begin(), p.end());
  for (double& x : p) x = x < s.min_p * highest ? 0 : x;
  renormalize();
  return p;
}

std::vector<double> random_logits(int vocab, std::uint64_t seed) {
  RandomStream stream({.seed = seed, .use = RandomUse::Test});
  std::vector<double> logits;
  for (int i = 0; i < vocab; ++i) logits.push_back(2 * stream.normal());
  return logits;
}

template <class T>
class DecodeSamplerTypes : public ::testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(DecodeSamplerTypes, Types);

TYPED_TEST(DecodeSamplerTypes, DrawsTheTruncatedDistribution) {
  for_each_instruction_set([&] {
    constexpr int kGrid = 20000;
    const std::vector<SamplerSettings> all = {
        {1, 1, 0, 0},     {0.5f, 1, 0, 0}, {3, 1, 0, 0},       {1, 1, 0, 3},
        {1, 0.6f, 0, 0},  {1, 1, 0.2f, 0}, {0.7f, 0.9f, 0, 5}, {2, 0.8f, 0.1f, 20},
        {1, 0.01f, 0, 0}, {1, 1, 1, 0},    {1, 0.999f, 0, 0},  {1, 1, 0, 1000}};
    SamplerScratch<TypeParam> scratch;
    for (const int vocab : {1, 2, 7, 16, 40, 130}) {
      const std::vector<double> exact = random_logits(vocab, vocab);
      const std::vector<TypeParam> logits(exact.begin(), exact.end());
      for (const SamplerSettings& s : all) {
        const std::vector<double> full = softmax({logits.begin(), logits.end()}, s.temperature);
        const std::vector<double> wanted = truncated(full, s);
        double entropy = 0;
        for (const double p : full) entropy -= p * std::log(p);
        std::vector<int> count(vocab);
        std::int32_t last = 0;
        for (int g = 0; g < kGrid; ++g) {
          const auto drawn =
              sample_token(logits.data(), vocab, s, static_cast<float>((g + 0.5) / kGrid), scratch);
          ASSERT_GE(drawn.token, last);  // vocabulary order: the inverse of the distribution
          last = drawn.token;
          ++count[drawn.token];
          ASSERT_NEAR(drawn.logprob, std::log(full[drawn.token]), 2e-5);
          ASSERT_NEAR(drawn.entropy, entropy, 2e-5);
          ASSERT_TRUE(drawn.finite);
        }
        for (int i = 0; i < vocab; ++i) {
          ASSERT_NEAR(count[i] / static_cast<double>(kGrid), wanted[i], 1.5 / kGrid + 1e-6)
              << "token " << i << " of " << vocab << ", T " << s.temperature << " top_k " << s.top_k
              << " top_p " << s.top_p << " min_p " << s.min_p;
          ASSERT_TRUE(wanted[i] > 0 || count[i] == 0);
        }
      }
    }
  });
}

// The 99.99 % point of chi-square, by the approximation of Wilson and Hilferty (1931).
double chi_square_limit(int degrees) {
  const double k = degrees, w = 2 / (9 * k);
  return k * std::pow(1 - w + 3.719 * std::sqrt(w), 3);
}

// Draws with the project's own keyed uniforms against the distribution written out.
TEST(DecodeSampler, PassesAChiSquareTestOverAMillionDraws) {
  constexpr int kVocab = 24, kDraws = 1000000;
  std::vector<double> exact = random_logits(kVocab, 5);
  for (double& x : exact) x /= 2;  // flat enough that every truncation keeps several tokens
  const std::vector<float> logits(exact.begin(), exact.end());
  SamplerScratch<float> scratch;
  std::uint64_t seed = 11;
  for (const float temperature : {0.5f, 1.0f, 2.0f}) {
    for (SamplerSettings s : std::vector<SamplerSettings>{
             {}, {.top_k = 6}, {.top_p = 0.8f}, {.min_p = 0.05f}, {1, 0.9f, 0.02f, 12}}) {
      s.temperature = temperature;
      const std::vector<double> p = truncated(softmax(exact, temperature), s);
      const RandomStream uniforms({.seed = seed++, .use = RandomUse::Test});
      std::vector<int> count(kVocab);
      for (int i = 0; i < kDraws; ++i) {
        ++count[sample_token(logits.data(), kVocab, s, uniforms.uniform_at(i), scratch).token];
      }
      double chi = 0;
      int kept = 0;
      for (int i = 0; i < kVocab; ++i) {
        if (p[i] == 0) {
          ASSERT_EQ(count[i], 0);
          continue;
        }
        ++kept;
        chi += std::pow(count[i] - kDraws * p[i], 2) / (kDraws * p[i]);
      }
      ASSERT_GT(kept, 2);
      EXPECT_LT(chi, chi_square_limit(kept - 1)) << "T " << s.temperature << " top_k " << s.top_k
                                                 << " top_p " << s.top_p << " min_p " << s.min_p;
    }
  }
}

TYPED_TEST(DecodeSamplerTypes, IsGreedyAtTemperatureZero) {
  for_each_instruction_set([&] {
    SamplerScratch<TypeParam> scratch;
    const std::vector<TypeParam> logits = {0, 3, -1, 3, 2};
    const std::vector<double> p = softmax({0, 3, -1, 3, 2}, 1);
    for (const float u : {0.001f, 0.5f, 0.999f}) {
      const auto drawn = sample_token(logits.data(), 5, {.temperature = 0}, u, scratch);
      EXPECT_EQ(drawn.token, 1);  // the lowest of equal ones
      EXPECT_NEAR(drawn.logprob, std::log(p[1]), 1e-6);
    }
  });
}

TYPED_TEST(DecodeSamplerTypes, RanksEqualProbabilitiesByTokenId) {
  for_each_instruction_set([&] {
    SamplerScratch<TypeParam> scratch;
    const std::vector<TypeParam> logits(10, TypeParam(0.5));
    for (int g = 0; g < 100; ++g) {
      const float u = (g + 0.5f) / 100;
      EXPECT_EQ(sample_token(logits.data(), 10, {.top_k = 4}, u, scratch).token, g / 25);
      EXPECT_EQ(sample_token(logits.data(), 10, {.top_p = 0.45f}, u, scratch).token, g / 20);
    }
  });
}

TYPED_TEST(DecodeSamplerTypes, TellsLogitsThatAreNotFinite) {
  for_each_instruction_set([&] {
    SamplerScratch<TypeParam> scratch;
    using Limits = std::numeric_limits<TypeParam>;
    for (const TypeParam bad : {Limits::quiet_NaN(), Limits::infinity(), -Limits::infinity()}) {
      for (const int place : {0, 3, 16, 20}) {
        std::vector<TypeParam> logits(21, TypeParam(1));
        logits[place] = bad;
        const auto drawn = sample_token(logits.data(), 21, {}, 0.5f, scratch);
        EXPECT_FALSE(drawn.finite);
        EXPECT_TRUE(drawn.token >= 0 && drawn.token < 21);
      }
    }
  });
}

TYPED_TEST(DecodeSamplerTypes, StandsExtremeLogitsAndUniforms) {
  for_each_instruction_set([&] {
    SamplerScratch<TypeParam> scratch;
    const std::vector<TypeParam> logits = {TypeParam(-3e4), TypeParam(3e4), TypeParam(-3e4)};
    for (const float u : {1e-8f, 0.5f, 1 - 0x1p-24f}) {
      const auto drawn = sample_token(logits.data(), 3, {}, u, scratch);
      EXPECT_EQ(drawn.token, 1);
      EXPECT_EQ(drawn.logprob, 0);
      EXPECT_NEAR(drawn.entropy, 0, 1e-12);
    }
  });
}

}  // namespace
}  // namespace allot::lm::kernels
