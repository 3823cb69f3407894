// The policy of the simulated world: skills theta and everything else psi, both 0 at the start.
//
//   logit p_i = a_i . theta + c_i . psi - (kappa / 2) |psi|^2 - b_i
//
// Source: simulator, "World". The damage term has no gradient: it is invisible to one step.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "allot/core/types.h"
#include "allot/sim/world.h"

namespace allot::sim {

// A direction in parameter space, (theta, psi).
struct Parameters {
  std::array<double, kSkills> theta{};
  std::array<double, kIdiosyncratic> psi{};

  void add(double scale, const Parameters& other);
  double squared_length() const;
};

class Policy {
 public:
  explicit Policy(const World& world) : world_(world), cache_(world.size()) {}

  const World& world() const { return world_; }
  const Parameters& parameters() const { return parameters_; }
  Version version() const { return version_; }

  // Moves the parameters and counts one update.
  void update(double scale, const Parameters& direction);

  double pass_rate(std::size_t prompt) const;  // remembered until the next update
  double held_out_accuracy() const;            // mean pass rate of the held-out prompts

 private:
  struct Cached {
    Version version = ~Version{0};
    double pass_rate = 0;
  };
  double logit(std::size_t prompt) const;

  const World& world_;
  Parameters parameters_;
  double damage_ = 0;  // (kappa / 2) |psi|^2
  Version version_ = 0;
  mutable std::vector<Cached> cache_;
};

// Adds scale * (a_i, c_i): the gradient of logit p_i.
void add_gradient(Parameters& into, double scale, const World& world, std::size_t prompt);

}  // namespace allot::sim
