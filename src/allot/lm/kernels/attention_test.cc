// Values and gradients against softmax attention written out in double precision, in every build.
#include "allot/lm/kernels/attention.h"

#include <gtest/gtest.h>

#include "allot/lm/testing/instruction_sets.h"
#include "allot/lm/testing/random_arrays.h"

namespace allot::lm::kernels {
namespace {

struct Example {
  HeadShape shape;
  std::vector<Segment> segments;
  int rows;
};

// All inputs are numbers of type T, so that the oracle starts from the same ones.
template <class T>
struct Inputs {
  AlignedVector<T> q, k, v, d_out;

  explicit Inputs(const Example& e)
      : q(normals<T>(static_cast<std::size_t>(e.rows) * e.shape.heads * e.shape.head_dim, 1)),
        k(normals<T>(static_cast<std::size_t>(e.rows) * e.shape.kv_heads * e.shape.head_dim, 2)),
        v(normals<T>(k.size(), 3)),
        d_out(normals<T>(q.size(), 4)) {}
};

struct Exact {
  std::vector<double> out, log_sum, d_q, d_k, d_v;
};

// One query of one head against the rows `seen`.
template <class T>
void attend_exactly(const Example& e, const Inputs<T>& in, int row, int head,
                    const std::vector<int>& seen, Exact& to) {
  const int hd = e.shape.head_dim, kv_head = head / e.shape.group();
  const std::size_t at = (static_cast<std::size_t>(row) * e.shape.heads + head) * hd;
  const auto key = [&](int j) {
    return (static_cast<std::size_t>(seen[j]) * e.shape.kv_heads + kv_head) * hd;
  };
  const double scale = 1 / std::sqrt(static_cast<double>(hd));
  std::vector<double> p(seen.size()), dp(seen.size());
  double sum = 0, delta = 0;
  for (std::size_t j = 0; j < seen.size(); ++j) {
    double score = 0;
    for (int d = 0; d < hd; ++d) {
      score += static_cast<double>(in.q[at + d]) * in.k[key(j) + d];
      dp[j] += static_cast<double>(in.d_out[at + d]) * in.v[key(j) + d];
    }
    sum += p[j] = std::exp(score * scale);
  }
  to.log_sum[row * e.shape.heads + head] = std::log(sum);
  for (std::size_t j = 0; j < seen.size(); ++j) delta += (p[j] /= sum) * dp[j];
  for (std::size_t j = 0; j < seen.size(); ++j) {
    const double ds = p[j] * (dp[j] - delta) * scale;
    for (int d = 0; d < hd; ++d) {
      to.out[at + d] += p[j] * in.v[key(j) + d];
      to.d_v[key(j) + d] += p[j] * in.d_out[at + d];
      to.d_q[at + d] += ds * in.k[key(j) + d];
      to.d_k[key(j) + d] += ds * in.q[at + d];
    }
  }
}

template <class T>
Exact exact_attention(const Example& e, const Inputs<T>& in) {
  Exact to;
  to.out.assign(in.q.size(), 0);
  to.d_q.assign(in.q.size(), 0);
  to.d_k.assign(in.k.size(), 0);
  to.d_v.assign(in.k.size(), 0);
  to.log_sum.assign(static_cast<std::size_t>(e.rows) * e.shape.heads, 0);
  for (const Segment& s : e.segments) {
    std::vector<int> seen;
    for (int i = 0; i < s.prefix_length; ++i) seen.push_back(s.prefix_start + i);
    for (int i = 0; i < s.length; ++i) {
      seen.push_back(s.start + i);
      for (int h = 0; h < e.shape.heads; ++h) attend_exactly(e, in, s.start + i, h, seen, to);
    }
  }
  return to;
}

// A prompt with responses of the given lengths, and one segment of its own.
Example example(HeadShape shape, int prompt, const std::vector<int>& responses, int alone) {
  Example e{shape, {{0, prompt, 0, 0}}, prompt};
  for (const int length : responses) {
    e.segments.push_back({e.rows, length, 0, prompt});
    e.rows += length;
  }
  e.segments.push_back({e.rows, alone, 0, 0});
  e.rows += alone;
  return e;
}

std::vector<Example> examples() {
  std::vector<Example> all = {
      example({1, 1, 2}, 1, {1}, 1),           example({4, 2, 24}, 16, {48, 1, 23}, 5),
      example({6, 2, 32}, 17, {24, 25}, 64),   example({5, 1, 18}, 3, {15, 16, 17}, 2),
      example({7, 1, 64}, 33, {7}, 47),        example({2, 2, 80}, 24, {72, 30}, 1),
      example({1, 1, 16}, 700, {300, 1}, 513), example({1, 1, 8}, 4, {1}, 2048)};
  RandomStream stream({.seed = 5, .use = RandomUse::Test});
  const auto up_to = [&](int most) { return 1 + static_cast<int>(stream.below(most)); };
  for (int i = 0; i < 6; ++i) {
    const int kv_heads = up_to(3);
    const HeadShape shape{kv_heads * up_to(4), kv_heads, 2 * up_to(40)};
    all.push_back(example(shape, up_to(60), {up_to(60), up_to(60)}, up_to(60)));
  }
  return all;
}

// The parts of a row side by side, as the kernel has them, and taken apart again.
template <class T>
AlignedVector<T> merged(const Example& e, const Inputs<T>& in) {
  AlignedVector<T> out;
  const int q = e.shape.q_size(), kv = e.shape.kv_size();
  for (int r = 0; r < e.rows; ++r) {
    out.insert(out.end(), in.q.begin() + r * q, in.q.begin() + (r + 1) * q);
    out.insert(out.end(), in.k.begin() + r * kv, in.k.begin() + (r + 1) * kv);
    out.insert(out.end(), in.v.begin() + r * kv, in.v.begin() + (r + 1) * kv);
  }
  return out;
}

template <class T>
std::vector<T> part(const Example& e, const AlignedVector<T>& rows, int first, int size) {
  std::vector<T> out;
  for (int r = 0; r < e.rows; ++r) {
    const auto from = rows.begin() + r * e.shape.row_size() + first;
    out.insert(out.end(), from, from + size);
  }
  return out;
}

template <class T>
class Attention : public ::testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(Attention, Types);

TYPED_TEST(Attention, EqualsTheLoopInDoublePrecision) {
  using T = TypeParam;
  const double tolerance = sizeof(T) == 4 ? 2e-5 : 1e-12;
  for (const Example& e : examples()) {
    const Inputs<T> in(e);
    const AlignedVector<T> qkv = merged(e, in);
    const Exact wanted = exact_attention(e, in);
    for_each_instruction_set([&] {
      AlignedVector<T> out(in.q.size()), log_sum(wanted.log_sum.size()), d_qkv(qkv.size(), T(0));
      attention_forward(e.shape, e.segments, qkv.data(), out.data(), log_sum.data());
      attention_backward(e.shape, e.segments, qkv.data(), out.data(), log_sum.data(),
                         in.d_out.data(), d_qkv.data());
      expect_near(out, wanted.out, tolerance);
      expect_near(log_sum, wanted.log_sum, tolerance);
      const int q = e.shape.q_size(), kv = e.shape.kv_size();
      expect_near(part(e, d_qkv, 0, q), wanted.d_q, tolerance);
      expect_near(part(e, d_qkv, q, kv), wanted.d_k, tolerance);
      expect_near(part(e, d_qkv, q + kv, kv), wanted.d_v, tolerance);
    });
  }
}

}  // namespace
}  // namespace allot::lm::kernels
