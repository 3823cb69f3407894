// CERO's arithmetic: saturating returns of a prompt, their Fenchel conjugate, and the two projected
// gradient steps on the duals. Source: arXiv 2610.09679.
//
//   U(q, z) = 1 - exp(-c z),  c = 4 lambda q / R      return of z units, q in [0, 1/4]
//   theta = cbar * slope,  cbar = lambda / R          a prompt's dual; slope in [0, 1]
//   mu    = cbar * price                              the budget's dual; price in [0, 1]
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "allot/core/types.h"

namespace allot {

// The constants of a run. A unit is a fixed number of rollouts.
struct CeroScale {
  double prompts = 1;     // M, size of the pool
  double rounds = 1;      // K
  double budget = 1;      // B, units of the run
  double per_prompt = 2;  // N_max, most units of a prompt in a round
  double per_round = 1;   // C, most units of a round
  double lambda = 1;      // how fast returns saturate
  double step = 0;        // gamma of both updates; 0 = 1 / sqrt(K)

  double mean_round() const { return budget / rounds; }        // Bbar
  double equal_share() const { return budget / prompts; }      // R
  double most_units() const { return rounds * per_prompt; }    // Z, of one prompt in the run
  double top_slope() const { return lambda / equal_share(); }  // cbar
  double steepness(double q) const { return 4 * lambda * q / equal_share(); }  // c
  double gamma() const;
};

// U*(theta) = inf over 0 <= s <= Z of theta s - U(s); theta >= 0.
double conjugate(double theta, double c, double most_units);

// The minimiser s of the above: (1/c) ln(c / theta) within [0, Z]; 0 for c = 0.
double best_units(double theta, double c, double most_units);

// The slope of a prompt with value estimate q after a round that planned `units` for it.
double next_slope(double slope, double q, double units, const CeroScale& scale);

// The price after a round that planned `units` in all.
double next_price(double price, double units, const CeroScale& scale);

// A prompt that could be admitted.
struct Ranked {
  double slope = 0;
  std::uint32_t tie = 0;  // its place in the fixed permutation
  PromptId prompt = 0;

  // Admission order: steeper first, then by the permutation, then by id.
  bool before(const Ranked& other) const {
    if (slope != other.slope) return slope > other.slope;
    return tie != other.tie ? tie < other.tie : prompt < other.prompt;
  }
};

// Keeps the first `size` of all that were offered; one pass over a large pool, no copy of it.
class Ranking {
 public:
  explicit Ranking(std::size_t size) : size_(size) {}
  void offer(const Ranked& candidate);
  std::vector<Ranked> take();  // in admission order

 private:
  std::size_t size_;
  std::vector<Ranked> heap_;  // its front is the last in order
};

// Units of one round, in admission order.
struct RoundUnits {
  std::vector<std::uint32_t> planned;   // V: those above the price, within the round's capacity
  std::vector<std::uint32_t> executed;  // E: what of it is affordable, and the catch-up
  std::uint64_t planned_sum = 0, executed_sum = 0;
};

struct RoundLimits {
  std::uint64_t per_round = 0;   // C
  std::uint32_t per_prompt = 1;  // N_max
  std::uint64_t left = 0;        // units that can be paid
  std::uint64_t at_least = 0;    // units to be executed anyhow, also below the price (catch-up)
};

// Both lists have one entry per ranked prompt.
RoundUnits round_units(std::span<const Ranked> ranked, double price, const RoundLimits& limits);

}  // namespace allot
