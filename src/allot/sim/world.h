// A world without a language model: prompts with skills, difficulties and answer lengths.
//
//   World world({.pool = Pool::Hard}, 7);         // the 2,000 + 1,000 prompts of world seed 7
//   Policy policy(world);                         // sim/policy.h
//
// Everything is drawn from (seed, prompt), so worlds of one seed that differ only in the pool or
// the lengths share what they can. Immutable: several runs and threads may read one.
// Source: simulator, "World".
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace allot::sim {

// Distribution of the starting pass rate p0 over the prompts; L = logit(p0).
enum class Pool : std::uint8_t {
  Bimodal,  // L: 45 % N(3.5, .7), 45 % N(-4, 1), 10 % N(0, 1)
  Hard,     // L: 80 % N(-4, 1), 20 % N(0, 1)
  Uniform,  // p0 uniform on (0, 1)
  Solved,   // L: 75 % N(4, .8), 25 % N(-.5, 1.5)
  Heavy,    // L: -1 + 2 * Student t with 2 degrees of freedom
  Dead      // 50 % impossible (L = -30), else p0 uniform
};

// How long answers are, and whether that says something about the skills needed.
enum class Lengths : std::uint8_t {
  Default,  // log-normal, easy prompts have shorter answers
  Equal,    // all 1
  Split     // as Default; prompts above the median length use other skills than those below
};

struct WorldOptions {
  Pool pool = Pool::Bimodal;
  Lengths lengths = Lengths::Default;
  std::uint32_t train = 2000, held_out = 1000;  // prompts
  double memorised = 3;                         // |c_i|: what does not generalise
  double drift = 0.2;                           // kappa: damage by |psi|^2
  double noise = 200;                           // R: squared length of one rollout's noise
};

inline constexpr std::uint32_t kSkills = 16;         // K
inline constexpr std::uint32_t kIdiosyncratic = 64;  // D
inline constexpr std::uint32_t kSkillsPerPrompt = 3;
inline constexpr std::uint32_t kTokensPerUnit = 1000;  // tokens of an answer of mean length

struct PromptTraits {
  std::array<std::uint32_t, kSkillsPerPrompt> skill{};  // where a_i is not 0, ascending
  std::array<double, kSkillsPerPrompt> strength{};      // a_i there; length 1
  double difficulty = 0;                                // b_i = -logit(p0)
  std::uint32_t tokens = 0;  // of every answer; the mean over all prompts is kTokensPerUnit
};

class World {
 public:
  World(const WorldOptions& options, std::uint64_t seed);

  const WorldOptions& options() const { return options_; }
  std::uint64_t seed() const { return seed_; }
  // Training prompts first, then the held-out ones.
  std::uint32_t size() const { return options_.train + options_.held_out; }
  std::uint32_t train_size() const { return options_.train; }
  const PromptTraits& traits(std::size_t prompt) const { return traits_[prompt]; }
  // c_i, [kIdiosyncratic].
  std::span<const float> idiosyncratic(std::size_t prompt) const {
    return std::span(idiosyncratic_).subspan(prompt * kIdiosyncratic, kIdiosyncratic);
  }

 private:
  void draw_prompt(std::uint32_t prompt);
  double draw_logit(std::uint32_t prompt) const;
  void draw_skills(std::uint32_t prompt, std::uint32_t first, std::uint32_t count);
  void draw_lengths();

  WorldOptions options_;
  std::uint64_t seed_;
  std::vector<PromptTraits> traits_;
  std::vector<float> idiosyncratic_;  // [size, kIdiosyncratic]
};

double sigmoid(double logit);

const char* name(Pool pool);
const char* name(Lengths lengths);
std::span<const Pool> all_pools();
// Throw Error(Config) naming the nearest one.
Pool pool_named(const std::string& text);
Lengths lengths_named(const std::string& text);

}  // namespace allot::sim
