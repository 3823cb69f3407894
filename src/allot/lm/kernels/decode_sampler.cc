#include "allot/lm/kernels/decode_sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "allot/lm/kernels/reduce.h"
#include "allot/lm/kernels/vector.h"

namespace allot::lm::kernels {
namespace ALLOT_KERNEL_SET {
namespace {

constexpr int kBlock = 16;

// Weights exp(l - max) of the scaled logits l, and what follows from them in one pass.
template <class T>
struct Distribution {
  T max = 0;            // of the scaled logits
  double sum = 0;       // of the weights
  double weighted = 0;  // sum of weight * (l - max)
  bool finite = true;
};

// The lanes of all vectors of a block, added in an order that does not depend on anything else.
template <class T>
T block_sum(const T* weights) {
  Vec<T> sum = load(weights);
  for (int j = kLanes<T>; j < kBlock; j += kLanes<T>) sum += load(weights + j);
  return reduced<T>(sum, [](Vec<T> a, Vec<T> b) { return a + b; })[0];
}

template <class T>
Distribution<T> weigh(const T* logits, int vocab, T scale, SamplerScratch<T>& scratch) {
  constexpr T kFloor = -1000;  // below it a weight is 0; keeps weight * difference finite
  const int padded = round_up_16(vocab);
  scratch.weights.resize(padded);
  scratch.block_sums.resize(padded / kBlock);
  T* weights = scratch.weights.data();
  std::copy(logits, logits + vocab, weights);
  std::fill(weights + vocab, weights + padded, std::numeric_limits<T>::lowest());
  Vec<T> top = load(weights), zeros = load(weights) * T(0);
  for (int j = kLanes<T>; j < padded; j += kLanes<T>) {
    top = vector_max<T>(load(weights + j), top);
    zeros += load(weights + j) * T(0);  // NaN where a logit is not finite
  }
  const T highest = lane_max<T>(top);
  Distribution<T> all{highest * scale, 0, 0, lane_sum<T>(zeros) == 0};
  const Vec<T> max = broadcast(highest);
  constexpr int kTogether = 32;  // blocks whose weighted sums are added in T
  for (int first = 0; first < padded / kBlock; first += kTogether) {
    const int end = std::min(first + kTogether, padded / kBlock);
    Vec<T> weighted = {};
    for (int j = first * kBlock; j < end * kBlock; j += kLanes<T>) {
      const Vec<T> below = vector_max<T>((load(weights + j) - max) * scale, broadcast(kFloor));
      const Vec<T> e = exp<T>(below);
      store(weights + j, e);
      weighted += e * below;
    }
    for (int b = first; b < end; ++b) {
      scratch.block_sums[b] = block_sum(weights + b * kBlock);
      all.sum += scratch.block_sums[b];
    }
    all.weighted += lane_sum<T>(weighted);
  }
  return all;
}

// A weight that at least `count` weights reach: the count-th largest of the blocks' largest ones,
// or 0 where there are fewer blocks.
template <class T>
T reached_by(std::size_t count, SamplerScratch<T>& scratch) {
  auto& largest = scratch.block_largest;
  largest.resize(scratch.block_sums.size());
  if (count > largest.size()) return 0;
  for (std::size_t b = 0; b < largest.size(); ++b) {
    const T* weights = scratch.weights.data() + b * kBlock;
    Vec<T> top = load(weights);
    for (int j = kLanes<T>; j < kBlock; j += kLanes<T>) top = vector_max<T>(top, load(weights + j));
    largest[b] = reduced<T>(top, vector_max<T>)[0];
  }
  const auto nth = largest.begin() + static_cast<std::ptrdiff_t>(count - 1);
  std::nth_element(largest.begin(), nth, largest.end(), [](T a, T b) { return a > b; });
  return *nth;
}

// Cuts `order` to the smallest set of its first ones in the order `before` whose weights reach
// `wanted`, by halving the part in which the set ends.
template <class T, class Before>
void keep_until(double wanted, const T* weights, const Before& before,
                std::vector<std::int32_t>& order) {
  std::size_t kept = 0, end = order.size();  // the first `kept` belong to it, those from `end` not
  double reached = 0;                        // by the first `kept`
  while (kept < end && reached < wanted) {
    const std::size_t middle = kept + (end - kept + 1) / 2;
    const auto begin = order.begin();
    if (middle < end) {
      std::nth_element(begin + kept, begin + middle, begin + end, before);
    }
    double sum = reached;
    for (std::size_t i = kept; i < middle; ++i) sum += weights[order[i]];
    if (sum < wanted || middle == kept + 1) {
      kept = middle;
      reached = sum;
    } else {
      end = middle;
    }
  }
  order.resize(std::max<std::size_t>(kept, 1));
}

// Sets the weights of the tokens that truncation removes to 0; returns the sum of the others.
template <class T>
double truncate(int vocab, const SamplerSettings& settings, double sum,
                SamplerScratch<T>& scratch) {
  T* weights = scratch.weights.data();
  const auto before = [weights](std::int32_t a, std::int32_t b) {
    return weights[a] > weights[b] || (weights[a] == weights[b] && a < b);
  };
  // No token below this weight is kept. Without top_k, the tokens below (1 - top_p) of the mean
  // hold less than 1 - top_p of the probability together. The highest weight is exp(0) = 1.
  const bool by_rank = settings.top_k > 0 && settings.top_k < vocab;
  const double floor = by_rank ? static_cast<double>(reached_by<T>(settings.top_k, scratch))
                       : settings.top_p < 1 ? (1.0 - settings.top_p) * sum / vocab
                                            : static_cast<double>(settings.min_p);
  auto& order = scratch.candidates;
  order.clear();
  for (std::int32_t i = 0; i < vocab; ++i) {
    if (weights[i] >= floor) order.push_back(i);
  }
  if (by_rank) {
    if (static_cast<std::size_t>(settings.top_k) < order.size()) {
      std::nth_element(order.begin(), order.begin() + settings.top_k, order.end(), before);
      order.resize(settings.top_k);
    }
    sum = 0;
    for (const std::int32_t i : order) sum += weights[i];
  }
  if (settings.top_p < 1) keep_until(settings.top_p * sum, weights, before, order);
  std::erase_if(order, [&](std::int32_t i) { return weights[i] < settings.min_p; });
  std::sort(order.begin(), order.end());

  std::size_t next = 0;
  for (std::int32_t i = 0; i < vocab; ++i) {
    if (next < order.size() && order[next] == i) {
      ++next;
    } else {
      weights[i] = 0;
    }
  }
  sum = 0;
  for (std::size_t b = 0; b < scratch.block_sums.size(); ++b) {
    scratch.block_sums[b] = block_sum(weights + b * kBlock);
    sum += scratch.block_sums[b];
  }
  return sum;
}

// The first token whose cumulative weight exceeds `target`; if rounding leaves none, the last one
// that has any weight.
template <class T>
std::int32_t find_token(double target, int vocab, const SamplerScratch<T>& scratch) {
  double reached = 0;
  std::size_t b = 0;
  while (b < scratch.block_sums.size() && reached + scratch.block_sums[b] <= target) {
    reached += scratch.block_sums[b++];
  }
  for (int i = static_cast<int>(b) * kBlock; i < vocab; ++i) {
    reached += scratch.weights[i];
    if (reached > target) return i;
  }
  std::int32_t last = vocab - 1;
  while (last > 0 && !(scratch.weights[last] > 0)) --last;
  return last;
}

}  // namespace

template <class T>
SampledToken<T> sample_token(const T* logits, int vocab, const SamplerSettings& settings,
                             float uniform, SamplerScratch<T>& scratch) {
  const bool greedy = settings.temperature == 0;
  const T scale = greedy ? T(1) : T(1) / static_cast<T>(settings.temperature);
  const Distribution<T> all = weigh(logits, vocab, scale, scratch);
  const double log_sum = std::log(all.sum);
  SampledToken<T> result;
  result.finite = all.finite;
  if (greedy) {
    result.token = static_cast<std::int32_t>(std::max_element(logits, logits + vocab) - logits);
  } else {
    const double sum =
        settings.truncates() && all.finite ? truncate(vocab, settings, all.sum, scratch) : all.sum;
    result.token = find_token(uniform * sum, vocab, scratch);
  }
  result.logprob =
      static_cast<T>(static_cast<double>(logits[result.token] * scale - all.max) - log_sum);
  result.entropy = static_cast<T>(log_sum - all.weighted / all.sum);
  return result;
}

}  // namespace ALLOT_KERNEL_SET

#define ALLOT_INSTANTIATE(T)                                                                \
  ALLOT_KERNEL(SampledToken<T>, sample_token<T>,                                            \
               (const T* logits, int vocab, const SamplerSettings& settings, float uniform, \
                SamplerScratch<T>& scratch),                                                \
               (logits, vocab, settings, uniform, scratch))
ALLOT_INSTANTIATE(float)
ALLOT_INSTANTIATE(double)
#undef ALLOT_INSTANTIATE

}  // namespace allot::lm::kernels
