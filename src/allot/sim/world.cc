#include "allot/sim/world.h"

#include <algorithm>
#include <cmath>

#include "allot/core/error.h"
#include "allot/core/random.h"

namespace allot::sim {
namespace {

constexpr double kImpossible = -30;

// Independent streams per prompt.
enum Stream : std::uint64_t { kSkillStream, kMemoryStream, kLogitStream, kLengthStream };

RandomStream stream(std::uint64_t seed, Stream which, std::uint64_t prompt) {
  return RandomStream({seed, RandomUse::Simulator, which, prompt, 0});
}

double logit(double p) { return std::log(p / (1 - p)); }

// Student's t with 2 degrees of freedom: a normal over sqrt(chi2 / 2), and chi2 / 2 = -ln U.
double student_t2(RandomStream& random) {
  const double normal = random.normal();
  return normal / std::sqrt(-std::log(random.uniform()));
}

double starting_logit(Pool pool, RandomStream& random) {
  const double u = random.uniform();
  const auto normal = [&](double mean, double sd) { return mean + sd * random.normal(); };
  switch (pool) {
    case Pool::Bimodal:
      return u < 0.45 ? normal(3.5, 0.7) : u < 0.9 ? normal(-4, 1) : normal(0, 1);
    case Pool::Hard:
      return u < 0.8 ? normal(-4, 1) : normal(0, 1);
    case Pool::Uniform:
      return logit(random.uniform());
    case Pool::Solved:
      return u < 0.75 ? normal(4, 0.8) : normal(-0.5, 1.5);
    case Pool::Heavy:
      return -1 + 2 * student_t2(random);
    case Pool::Dead:
      return u < 0.5 ? kImpossible : logit(random.uniform());
  }
  return 0;
}

template <class Enum, std::size_t N>
Enum named(const std::string& text, const char* what, const std::array<Enum, N>& all) {
  std::vector<std::string> names;
  std::string list;
  for (const Enum value : all) {
    if (text == name(value)) return value;
    names.emplace_back(name(value));
    list += concat(list.empty() ? "" : ", ", name(value));
  }
  const std::string near = nearest(text, names);
  throw Error(ErrorKind::Config, "simulator",
              concat("unknown ", what, " '", text, "'; one of ", list, " is needed"),
              near.empty() ? "" : concat("did you mean '", near, "'?"));
}

constexpr std::array kPools = {Pool::Bimodal, Pool::Hard,  Pool::Uniform,
                               Pool::Solved,  Pool::Heavy, Pool::Dead};
constexpr std::array kLengths = {Lengths::Default, Lengths::Equal, Lengths::Split};

}  // namespace

World::World(const WorldOptions& options, std::uint64_t seed)
    : options_(options),
      seed_(seed),
      traits_(size()),
      idiosyncratic_(std::size_t{size()} * kIdiosyncratic) {
  if (options.train == 0 || options.held_out == 0)
    throw Error(ErrorKind::Config, "simulator",
                concat(options.train, " training and ", options.held_out,
                       " held-out prompts were given; at least one of each is needed"));
  for (std::uint32_t i = 0; i < size(); ++i) draw_prompt(i);
  draw_lengths();
}

void World::draw_prompt(std::uint32_t prompt) {
  traits_[prompt].difficulty = -draw_logit(prompt);
  draw_skills(prompt, 0, kSkills);
  RandomStream random = stream(seed_, kMemoryStream, prompt);
  std::array<double, kIdiosyncratic> c{};
  double squares = 0;
  for (double& x : c) {
    x = random.normal();
    squares += x * x;
  }
  const double scale = options_.memorised / std::sqrt(squares);
  float* row = &idiosyncratic_[std::size_t{prompt} * kIdiosyncratic];
  for (std::uint32_t d = 0; d < kIdiosyncratic; ++d) row[d] = static_cast<float>(c[d] * scale);
}

double World::draw_logit(std::uint32_t prompt) const {
  RandomStream random = stream(seed_, kLogitStream, prompt);
  const double lowest = options_.pool == Pool::Dead ? kImpossible : -10;
  return std::clamp(starting_logit(options_.pool, random), lowest, 10.0);
}

// Three different skills of first .. first + count - 1.
void World::draw_skills(std::uint32_t prompt, std::uint32_t first, std::uint32_t count) {
  PromptTraits& traits = traits_[prompt];
  RandomStream random = stream(seed_, kSkillStream, prompt);
  std::vector<std::uint32_t> chosen = random.sample(count, kSkillsPerPrompt);
  std::sort(chosen.begin(), chosen.end());
  double squares = 0;
  for (std::uint32_t k = 0; k < kSkillsPerPrompt; ++k) {
    traits.skill[k] = first + chosen[k];
    traits.strength[k] = std::abs(random.normal()) + 0.25;
    squares += traits.strength[k] * traits.strength[k];
  }
  for (double& strength : traits.strength) strength /= std::sqrt(squares);
}

void World::draw_lengths() {
  std::vector<double> length(size(), 1.0);
  if (options_.lengths != Lengths::Equal) {
    double sum = 0;
    for (std::uint32_t i = 0; i < size(); ++i) {
      RandomStream random = stream(seed_, kLengthStream, i);
      const double logit0 = std::clamp(-traits_[i].difficulty, -4.0, 4.0);
      length[i] = std::exp(0.4 * random.normal() - 0.15 * logit0);
      sum += length[i];
    }
    for (double& x : length) x *= size() / sum;
  }
  for (std::uint32_t i = 0; i < size(); ++i)
    traits_[i].tokens = static_cast<std::uint32_t>(std::lround(kTokensPerUnit * length[i]));
  if (options_.lengths != Lengths::Split) return;
  std::vector<double> sorted = length;
  std::nth_element(sorted.begin(), sorted.begin() + size() / 2, sorted.end());
  const double median = sorted[size() / 2];
  for (std::uint32_t i = 0; i < size(); ++i)
    draw_skills(i, length[i] > median ? kSkills / 2 : 0, kSkills / 2);
}

double sigmoid(double logit) { return 1 / (1 + std::exp(-logit)); }

const char* name(Pool pool) {
  constexpr std::array names = {"bimodal", "hard", "uniform", "solved", "heavy", "dead"};
  return names[static_cast<std::size_t>(pool)];
}

const char* name(Lengths lengths) {
  constexpr std::array names = {"default", "equal", "split"};
  return names[static_cast<std::size_t>(lengths)];
}

std::span<const Pool> all_pools() { return kPools; }
Pool pool_named(const std::string& text) { return named(text, "pool", kPools); }
Lengths lengths_named(const std::string& text) { return named(text, "world", kLengths); }

}  // namespace allot::sim
