// Against softmax attention written out in double precision.
#include "allot/lm/kernels/decode_attention.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "allot/core/random.h"
#include "allot/lm/testing/instruction_sets.h"

namespace allot::lm::kernels {
namespace {

// A piece in the kernel's layout; what no position fills is NaN, so that reading it would show.
template <class T>
struct Piece {
  int length, head_dim;
  std::vector<double> keys, values;  // [length][head_dim]
  AlignedVector<T> packed_keys, packed_values;

  Piece(int length, int head_dim, std::uint64_t seed) : length(length), head_dim(head_dim) {
    RandomStream stream({.seed = seed, .use = RandomUse::Test});
    const T nan = std::numeric_limits<T>::quiet_NaN();
    packed_keys.assign(round_up_16(length) * head_dim, nan);
    packed_values.assign(length * head_dim + 16, nan);
    for (int t = 0; t < length; ++t) {
      for (int d = 0; d < head_dim; ++d) {
        const T key = static_cast<T>(stream.normal()), value = static_cast<T>(stream.normal());
        keys.push_back(key);
        values.push_back(value);
        packed_keys[key_offset(t, head_dim) + d * kKeyBlock] = key;
        packed_values[t * head_dim + d] = value;
      }
    }
  }
  CachePiece<T> view() const { return {packed_keys.data(), packed_values.data(), length}; }
};

template <class T>
std::vector<double> expected(const AlignedVector<T>& query, int heads, int head_dim,
                             const Piece<T>& prefix, const Piece<T>& own) {
  std::vector<double> keys = prefix.keys, values = prefix.values;
  keys.insert(keys.end(), own.keys.begin(), own.keys.end());
  values.insert(values.end(), own.values.begin(), own.values.end());
  const int length = prefix.length + own.length;
  std::vector<double> out(heads * head_dim, 0);
  for (int h = 0; h < heads; ++h) {
    std::vector<double> weight(length);
    double sum = 0;
    for (int t = 0; t < length; ++t) {
      double score = 0;
      for (int d = 0; d < head_dim; ++d) score += query[h * head_dim + d] * keys[t * head_dim + d];
      weight[t] = std::exp(score);
      sum += weight[t];
    }
    for (int t = 0; t < length; ++t) {
      for (int d = 0; d < head_dim; ++d) {
        out[h * head_dim + d] += weight[t] / sum * values[t * head_dim + d];
      }
    }
  }
  return out;
}

template <class T>
class DecodeAttention : public ::testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(DecodeAttention, Types);

TYPED_TEST(DecodeAttention, EqualsSoftmaxAttention) {
  for_each_instruction_set([&] {
    using T = TypeParam;
    const double tolerance = sizeof(T) == 4 ? 3e-6 : 1e-14;
    for (const int head_dim : {2, 8, 16, 18, 24, 32, 40, 64, 80}) {
      for (const int heads : {1, 2, 3, 4, 5, 7}) {
        for (const auto& [prefix_length, own_length] :
             {std::pair{0, 1}, {0, 16}, {0, 17}, {1, 1}, {16, 5}, {15, 33}, {31, 64}, {70, 90}}) {
          const Piece<T> prefix(prefix_length, head_dim, 1), own(own_length, head_dim, 2);
          RandomStream stream({.seed = 3, .use = RandomUse::Test});
          AlignedVector<T> query(heads * head_dim), out(heads * head_dim + 16), scores;
          for (T& q : query) q = static_cast<T>(stream.normal() / std::sqrt(head_dim));
          decode_attention(query.data(), heads, head_dim, prefix.view(), own.view(), scores,
                           out.data());
          const std::vector<double> wanted = expected(query, heads, head_dim, prefix, own);
          for (int i = 0; i < heads * head_dim; ++i) {
            ASSERT_NEAR(out[i], wanted[i], tolerance)
                << head_dim << " x " << heads << ", " << prefix_length << " + " << own_length;
          }
        }
      }
    }
  });
}

TYPED_TEST(DecodeAttention, EqualsSoftmaxAttentionForRandomLengths) {
  using T = TypeParam;
  const double tolerance = sizeof(T) == 4 ? 3e-6 : 1e-14;
  for_each_instruction_set([&] {
    RandomStream stream({.seed = 7, .use = RandomUse::Test});
    for (int i = 0; i < 20; ++i) {
      const int head_dim = 2 * (1 + static_cast<int>(stream.below(40))),
                heads = 1 + static_cast<int>(stream.below(8)),
                length = i == 0 ? 2048 : 1 + static_cast<int>(stream.below(2048)),
                prefix_length = static_cast<int>(stream.below(length));
      const Piece<T> prefix(prefix_length, head_dim, 1), own(length - prefix_length, head_dim, 2);
      AlignedVector<T> query(heads * head_dim), out(heads * head_dim + 16), scores;
      for (T& q : query) q = static_cast<T>(stream.normal() / std::sqrt(head_dim));
      decode_attention(query.data(), heads, head_dim, prefix.view(), own.view(), scores,
                       out.data());
      const std::vector<double> wanted = expected(query, heads, head_dim, prefix, own);
      for (int d = 0; d < heads * head_dim; ++d) {
        ASSERT_NEAR(out[d], wanted[d], tolerance)
            << head_dim << " x " << heads << ", " << prefix_length << " of " << length;
      }
    }
  });
}

// One score far above the others, and scores far below zero.
TYPED_TEST(DecodeAttention, StandsLargeScores) {
  for_each_instruction_set([&] {
    using T = TypeParam;
    const int head_dim = 16;
    Piece<T> none(0, head_dim, 1), own(20, head_dim, 2);
    AlignedVector<T> query(head_dim, T(0)), out(head_dim + 16), scores;
    query[0] = T(-1000);
    int best = 0;
    for (int t = 1; t < 20; ++t) {
      if (own.keys[t * head_dim] < own.keys[best * head_dim]) best = t;
    }
    decode_attention(query.data(), 1, head_dim, none.view(), own.view(), scores, out.data());
    for (int d = 0; d < head_dim; ++d) EXPECT_NEAR(out[d], own.values[best * head_dim + d], 1e-3);
  });
}

}  // namespace
}  // namespace allot::lm::kernels
