#include "allot/sim/policy.h"

namespace allot::sim {
namespace {

// Four sums, so that additions need not wait for each other.
double dot(std::span<const float> c, const std::array<double, kIdiosyncratic>& psi) {
  static_assert(kIdiosyncratic % 4 == 0);
  std::array<double, 4> sum{};
  for (std::size_t d = 0; d < kIdiosyncratic; d += 4)
    for (std::size_t lane = 0; lane < 4; ++lane)
      sum[lane] += static_cast<double>(c[d + lane]) * psi[d + lane];
  return sum[0] + sum[1] + sum[2] + sum[3];
}

}  // namespace

void Parameters::add(double scale, const Parameters& other) {
  for (std::size_t k = 0; k < kSkills; ++k) theta[k] += scale * other.theta[k];
  for (std::size_t d = 0; d < kIdiosyncratic; ++d) psi[d] += scale * other.psi[d];
}

double Parameters::squared_length() const {
  double sum = 0;
  for (const double x : theta) sum += x * x;
  for (const double x : psi) sum += x * x;
  return sum;
}

void Policy::update(double scale, const Parameters& direction) {
  parameters_.add(scale, direction);
  double squares = 0;
  for (const double x : parameters_.psi) squares += x * x;
  damage_ = world_.options().drift / 2 * squares;
  ++version_;
}

double Policy::logit(std::size_t prompt) const {
  const PromptTraits& traits = world_.traits(prompt);
  double sum = dot(world_.idiosyncratic(prompt), parameters_.psi) - damage_ - traits.difficulty;
  for (std::size_t k = 0; k < kSkillsPerPrompt; ++k)
    sum += traits.strength[k] * parameters_.theta[traits.skill[k]];
  return sum;
}

double Policy::pass_rate(std::size_t prompt) const {
  Cached& cached = cache_[prompt];
  if (cached.version != version_) cached = {version_, sigmoid(logit(prompt))};
  return cached.pass_rate;
}

double Policy::held_out_accuracy() const {
  double sum = 0;
  for (std::uint32_t i = world_.train_size(); i < world_.size(); ++i) sum += pass_rate(i);
  return sum / world_.options().held_out;
}

void add_gradient(Parameters& into, double scale, const World& world, std::size_t prompt) {
  const PromptTraits& traits = world.traits(prompt);
  for (std::size_t k = 0; k < kSkillsPerPrompt; ++k)
    into.theta[traits.skill[k]] += scale * traits.strength[k];
  const auto c = world.idiosyncratic(prompt);
  for (std::size_t d = 0; d < kIdiosyncratic; ++d) into.psi[d] += scale * c[d];
}

}  // namespace allot::sim
