// Keyed random numbers: Philox4x32-10 (Salmon et al., SC 2011), and samplers on top of it.
//
// There is no generator state to save: a number is a function of its key and counter. A rollout's
// numbers depend on (seed, purpose, step, prompt, seq) and the token's position, nothing else.
// The streams are part of allot's promise: known-answer tests pin them.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace allot {

// Separates uses that must never share numbers. Values are fixed for ever.
enum class RandomUse : std::uint32_t {
  Train = 0,
  Eval = 1,
  WarmStart = 2,
  Method = 16,     // decisions of an allocation method
  Data = 32,       // order of prompts
  Task = 33,       // generation of puzzles
  Init = 48,       // initial weights
  Test = 64,       // tests and scripted worlds
  Bootstrap = 65,  // intervals in reports
  Simulator = 80   // worlds without a model, and the noise of their learner
};

struct RandomKey {
  std::uint64_t seed = 0;
  RandomUse use = RandomUse::Train;
  std::uint64_t step = 0, prompt = 0;
  std::uint32_t seq = 0;
};

// One block of Philox4x32-10.
std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key);

// A random-access stream of 32-bit words: word(i) is a pure function of (key, i).
class RandomStream {
 public:
  explicit RandomStream(const RandomKey& key);

  // Random access; does not move the sequence below. uniform_at: in (0, 1), 24 bits.
  std::uint32_t word_at(std::uint64_t index) const;
  float uniform_at(std::uint64_t index) const;

  // Sequential draws, in order from word 0.
  std::uint32_t bits();
  double uniform();                      // in (0, 1), 53 bits, never 0 or 1; two words
  double normal();                       // Box-Muller, one value per call; four words
  double gamma(double shape);            // Marsaglia and Tsang 2000; shape > 0, scale 1
  double beta(double a, double b);       // a, b > 0
  std::uint64_t below(std::uint64_t n);  // uniform in [0, n), n > 0, unbiased (rejection)
  template <class T>
  void shuffle(std::span<T> values) {  // Fisher-Yates from the back
    for (std::size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[below(i)]);
  }
  // k distinct indices of [0, n) in random order; k <= n.
  std::vector<std::uint32_t> sample(std::uint32_t n, std::uint32_t k);

 private:
  std::uint64_t wide_bits();

  std::array<std::uint32_t, 2> key_;
  std::array<std::uint32_t, 2> high_;  // upper half of the counter
  std::uint64_t next_ = 0;             // index of the next sequential word
};

}  // namespace allot
