#include "allot/core/random.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "allot/core/error.h"

namespace allot {
namespace {

using Block = std::array<std::uint32_t, 4>;

// The three vectors published with Random123 (Salmon et al., SC 2011): zeros, ones, digits of pi.
TEST(Philox, PublishedVectors) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
            (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
            (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

// Every field uses both of its halves. Values from a second implementation in integers of
// unlimited size.
RandomKey pinned_key() {
  return {0x0123456789abcdef, RandomUse::Method, (std::uint64_t{7} << 40) | 3,
          (std::uint64_t{1} << 62) | 5, 9};
}

TEST(RandomStream, PinnedWords) {
  const RandomStream random(pinned_key());
  EXPECT_EQ(random.word_at(0), 0xeff94a44u);
  EXPECT_EQ(random.word_at(1), 0xc64f968fu);
  EXPECT_EQ(random.word_at(4), 0xe8f1d63au);
  EXPECT_EQ(random.word_at(std::uint64_t{1} << 40), 0x12ba5160u);
  EXPECT_FLOAT_EQ(random.uniform_at(0), 0.9373976588249207f);
  EXPECT_FLOAT_EQ(random.uniform_at(2), 0.34691697359085083f);
}

TEST(RandomStream, PinnedSamplers) {
  const auto fresh = [] { return RandomStream(pinned_key()); };
  RandomStream u = fresh(), n = fresh(), g = fresh(), b = fresh(), i = fresh(), s = fresh(),
               p = fresh();
  for (const double x : {0.9373976152331224, 0.34691692628999216, 0.9099401372089398})
    EXPECT_EQ(u.uniform(), x);
  for (const double x : {-0.20567938917222395, 0.18236601960605642, 0.5970373622847752})
    EXPECT_NEAR(n.normal(), x, 1e-14);
  EXPECT_NEAR(g.gamma(2.5), 1.8777972066820943, 1e-13);
  EXPECT_NEAR(g.gamma(0.3), 0.6303315700047586, 1e-13);
  EXPECT_NEAR(g.gamma(1), 0.5687736068797511, 1e-13);
  EXPECT_NEAR(b.beta(1, 1), 0.5460113138227695, 1e-13);
  EXPECT_NEAR(b.beta(0.5, 4), 0.2210800565600547, 1e-13);
  EXPECT_NEAR(b.beta(30, 20), 0.6290337194746992, 1e-13);
  EXPECT_EQ(i.below(2), 1u);
  EXPECT_EQ(i.below(10), 7u);
  EXPECT_EQ(i.below(1000), 343u);
  EXPECT_EQ(i.below((std::uint64_t{1} << 63) + 1), 5883445199712678775u);
  EXPECT_EQ(s.sample(20, 6), (std::vector<std::uint32_t>{15, 19, 3, 10, 6, 1}));
  std::vector<int> order(10);
  std::iota(order.begin(), order.end(), 0);
  p.shuffle(std::span(order));
  EXPECT_EQ(order, (std::vector<int>{1, 0, 3, 9, 8, 2, 4, 7, 6, 5}));
}

TEST(RandomStream, RandomAccessAgreesWithTheSequence) {
  RandomStream random(pinned_key());
  for (std::uint64_t i = 0; i < 100; ++i) {
    EXPECT_EQ(random.word_at(99), RandomStream(pinned_key()).word_at(99));
    EXPECT_EQ(random.bits(), RandomStream(pinned_key()).word_at(i));
  }
}

TEST(RandomStream, EveryFieldOfTheKeyMatters) {
  std::set<std::uint64_t> first;
  const auto add = [&](const RandomKey& key) {
    const RandomStream random(key);
    first.insert(std::uint64_t{random.word_at(0)} << 32 | random.word_at(1));
  };
  std::size_t keys = 0;
  for (std::uint64_t seed : {0ull, 1ull, 1ull << 32})
    for (const RandomUse use : {RandomUse::Train, RandomUse::Method, RandomUse::Test})
      for (std::uint64_t step : {0ull, 1ull, 1ull << 32})
        for (std::uint64_t prompt : {0ull, 1ull, 1ull << 32, 1ull << 62})
          for (std::uint32_t seq : {0u, 1u, 16u}) {
            add({seed, use, step, prompt, seq});
            ++keys;
          }
  EXPECT_EQ(first.size(), keys);
}

// Neighbouring keys give sequences without correlation.
TEST(RandomStream, NeighbouringKeysAreUncorrelated) {
  const int n = 20000;
  double sum = 0;
  for (int i = 0; i < n; ++i) {
    RandomStream a({1, RandomUse::Test, 0, static_cast<std::uint64_t>(i), 0});
    RandomStream b({1, RandomUse::Test, 0, static_cast<std::uint64_t>(i), 1});
    sum += (a.uniform() - 0.5) * (b.uniform() - 0.5) * 12;
  }
  EXPECT_LT(std::abs(sum / n), 4 / std::sqrt(n));
}

struct Moments {
  double mean = 0, variance = 0;
};

Moments moments(const std::function<double(RandomStream&)>& draw, int n) {
  RandomStream random({11, RandomUse::Test, 0, 0, 0});
  double sum = 0, squares = 0;
  for (int i = 0; i < n; ++i) {
    const double x = draw(random);
    sum += x;
    squares += x * x;
  }
  return {sum / n, squares / n - (sum / n) * (sum / n)};
}

// Mean within 5 standard errors; variance within 5 standard errors of a distribution whose
// kurtosis is at most 9 (that of the exponential; gamma(0.3) has 23 and a wider band).
void expect_moments(const std::function<double(RandomStream&)>& draw, double mean, double variance,
                    double kurtosis) {
  const int n = 60000;
  const Moments m = moments(draw, n);
  EXPECT_NEAR(m.mean, mean, 5 * std::sqrt(variance / n));
  EXPECT_NEAR(m.variance, variance, 5 * variance * std::sqrt((kurtosis - 1) / n));
}

TEST(RandomStream, MomentsMatchTheDistributions) {
  expect_moments([](RandomStream& r) { return r.uniform(); }, 0.5, 1 / 12.0, 1.8);
  expect_moments([](RandomStream& r) { return r.normal(); }, 0, 1, 3);
  for (const double shape : {0.3, 1.0, 2.5, 40.0})
    expect_moments([=](RandomStream& r) { return r.gamma(shape); }, shape, shape, 3 + 6 / shape);
  expect_moments([](RandomStream& r) { return r.beta(2, 3); }, 0.4, 0.04, 3);
  expect_moments([](RandomStream& r) { return r.beta(0.5, 0.5); }, 0.5, 0.125, 1.5);
  expect_moments([](RandomStream& r) { return static_cast<double>(r.below(6)); }, 2.5, 35 / 12.0,
                 1.8);
}

TEST(RandomStream, UniformStaysInsideTheOpenInterval) {
  RandomStream random({3, RandomUse::Test, 0, 0, 0});
  for (int i = 0; i < 100000; ++i) {
    const double x = random.uniform();
    ASSERT_TRUE(x > 0 && x < 1);
    const float y = random.uniform_at(static_cast<std::uint64_t>(i));
    ASSERT_TRUE(y > 0 && y < 1);
  }
}

// Chi-square over all 24 orders of 4; 23 degrees of freedom, P(> 56) < 2e-4.
TEST(RandomStream, ShufflesAndSamplesUniformly) {
  RandomStream random({5, RandomUse::Test, 0, 0, 0});
  std::vector<double> shuffled(256), sampled(256);
  const int n = 48000;
  for (int i = 0; i < n; ++i) {
    std::array<std::uint32_t, 4> order{0, 1, 2, 3};
    random.shuffle(std::span<std::uint32_t>(order));
    ++shuffled[order[0] * 64 + order[1] * 16 + order[2] * 4 + order[3]];
    const std::vector<std::uint32_t> drawn = random.sample(4, 4);
    ++sampled[drawn[0] * 64 + drawn[1] * 16 + drawn[2] * 4 + drawn[3]];
  }
  for (const std::vector<double>& counts : {shuffled, sampled}) {
    double chi_square = 0;
    for (const double count : counts)
      if (count > 0) chi_square += (count - n / 24.0) * (count - n / 24.0) / (n / 24.0);
    EXPECT_EQ(std::count_if(counts.begin(), counts.end(), [](double c) { return c > 0; }), 24);
    EXPECT_LT(chi_square, 56);
  }
}

TEST(RandomStream, SampleIsDistinctAndBounded) {
  RandomStream random({6, RandomUse::Test, 0, 0, 0});
  EXPECT_TRUE(random.sample(5, 0).empty());
  for (int i = 0; i < 200; ++i) {
    const std::vector<std::uint32_t> drawn = random.sample(30, 11);
    const std::set<std::uint32_t> distinct(drawn.begin(), drawn.end());
    EXPECT_EQ(distinct.size(), 11u);
    EXPECT_LT(*distinct.rbegin(), 30u);
  }
}

TEST(RandomStream, RefusesImpossibleArguments) {
  RandomStream random({1, RandomUse::Test, 0, 0, 0});
  EXPECT_THROW(random.below(0), Error);
  EXPECT_THROW(random.gamma(0), Error);
  EXPECT_THROW(random.gamma(std::nan("")), Error);
  EXPECT_THROW(random.sample(3, 4), Error);
}

TEST(RandomStream, TinyBetaParametersStayInRange) {
  RandomStream random({1, RandomUse::Test, 0, 0, 0});
  for (int i = 0; i < 1000; ++i) {
    const double x = random.beta(1e-4, 1e-4);
    EXPECT_TRUE(x >= 0 && x <= 1);
  }
}

}  // namespace
}  // namespace allot
