#include "allot/core/random.h"

#include <cmath>
#include <numbers>
#include <numeric>

#include "allot/core/error.h"

namespace allot {
namespace {

std::uint32_t low(std::uint64_t x) { return static_cast<std::uint32_t>(x); }
std::uint32_t high(std::uint64_t x) { return static_cast<std::uint32_t>(x >> 32); }

}  // namespace

std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> c,
                                        std::array<std::uint32_t, 2> k) {
  constexpr std::uint64_t kM0 = 0xD2511F53, kM1 = 0xCD9E8D57;
  constexpr std::uint32_t kW0 = 0x9E3779B9, kW1 = 0xBB67AE85;
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = kM0 * c[0], p1 = kM1 * c[2];
    c = {high(p1) ^ c[1] ^ k[0], low(p1), high(p0) ^ c[3] ^ k[1], low(p0)};
    k[0] += kW0;
    k[1] += kW1;
  }
  return c;
}

// Two blocks absorb the whole key: the first (seed; step, prompt), the second its result with
// (use, seq). Distinct keys give unrelated streams because Philox is a keyed bijection.
RandomStream::RandomStream(const RandomKey& key) {
  const auto a = philox4x32({low(key.step), high(key.step), low(key.prompt), high(key.prompt)},
                            {low(key.seed), high(key.seed)});
  const auto b =
      philox4x32({a[0], a[1], key.seq, static_cast<std::uint32_t>(key.use)}, {a[2], a[3]});
  key_ = {b[0], b[1]};
  high_ = {b[2], b[3]};
}

std::uint32_t RandomStream::word_at(std::uint64_t index) const {
  const std::uint64_t block = index / 4;
  return philox4x32({low(block), high(block), high_[0], high_[1]}, key_)[index % 4];
}

float RandomStream::uniform_at(std::uint64_t index) const {
  return (static_cast<float>(word_at(index) >> 9) + 0.5f) * 0x1p-23f;
}

std::uint32_t RandomStream::bits() { return word_at(next_++); }

// The earlier word is the upper half.
std::uint64_t RandomStream::wide_bits() {
  const std::uint64_t upper = bits();
  return upper << 32 | bits();
}

double RandomStream::uniform() {
  const std::uint64_t wide = wide_bits();
  return (static_cast<double>(wide >> 12) + 0.5) * 0x1p-52;
}

double RandomStream::normal() {
  const double radius = std::sqrt(-2 * std::log(uniform()));
  return radius * std::cos(2 * std::numbers::pi * uniform());
}

double RandomStream::gamma(double shape) {
  if (!(shape > 0)) throw Error(ErrorKind::Internal, "random.gamma", "shape must be positive");
  if (shape < 1) {  // boost: gamma(a) = gamma(a + 1) * U^(1/a)
    const double boosted = gamma(shape + 1);
    return boosted * std::pow(uniform(), 1 / shape);
  }
  const double d = shape - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  for (;;) {
    const double x = normal();
    const double v = std::pow(1 + c * x, 3);
    if (v <= 0) continue;
    if (std::log(uniform()) < 0.5 * x * x + d - d * v + d * std::log(v)) return d * v;
  }
}

double RandomStream::beta(double a, double b) {
  const double x = gamma(a), y = gamma(b);
  return x + y > 0 ? x / (x + y) : a / (a + b);  // both underflow only for tiny a and b
}

std::uint64_t RandomStream::below(std::uint64_t n) {
  if (n == 0) throw Error(ErrorKind::Internal, "random.below", "n must be positive");
  const std::uint64_t reject_below = (0 - n) % n;  // 2^64 mod n
  for (;;) {
    const std::uint64_t wide = wide_bits();
    if (wide >= reject_below) return wide % n;
  }
}

std::vector<std::uint32_t> RandomStream::sample(std::uint32_t n, std::uint32_t k) {
  if (k > n) throw Error(ErrorKind::Internal, "random.sample", "k must not exceed n");
  std::vector<std::uint32_t> all(n);
  std::iota(all.begin(), all.end(), 0u);
  for (std::uint32_t i = 0; i < k; ++i) std::swap(all[i], all[i + below(n - i)]);
  all.resize(k);
  return all;
}

}  // namespace allot
