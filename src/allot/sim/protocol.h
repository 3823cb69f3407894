// The comparison protocol of simulated runs: every method with its learning rate and batch tuned
// on seeds of their own, then evaluated on others. Source: simulator, "Protocol".
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "allot/sim/simulation.h"

namespace allot::sim {

struct Contender {
  std::string name;  // as shown
  RunSettings run;   // learner.lr and prompts_per_step are set by the grid
  MethodFactory make_method;
  std::vector<std::uint32_t> batches;  // prompts per step to be tried
};

// How the pair of learning rate and batch is chosen on the tuning seeds.
enum class TuneBy : std::uint8_t {
  BestMean,  // largest mean final accuracy
  Margin     // per seed the worse of this learning rate's final and its upper neighbour's
};

struct TuningGrid {
  std::vector<double> lrs;  // ascending
  std::vector<std::uint64_t> seeds;
};

// Learning rates 2^low .. 2^high, ascending, `per_octave` of them per octave.
std::vector<double> powers_of_two(double low, double high, int per_octave);
std::vector<std::uint64_t> seed_range(std::uint64_t first, std::uint64_t count);

// Mean final accuracy over the tuning seeds, by batch and learning rate.
struct TuningTable {
  std::vector<std::uint32_t> batches;
  std::vector<double> lrs;
  std::vector<std::vector<std::vector<double>>> finals;  // [batch][lr][seed]

  struct Choice {
    std::uint32_t batch = 0;
    double lr = 0, score = 0;
    bool at_edge = false;  // the largest or smallest learning rate that could be chosen
  };
  Choice choose(TuneBy rule) const;  // of equal scores the first
};
TuningTable tune(const WorldOptions& world, const Contender& contender, const TuningGrid& grid,
                 std::size_t threads);

// One run per world seed, in their order. Rollout seeds differ from world seeds.
std::vector<SimRun> run_seeds(const WorldOptions& world, const Contender& contender,
                              std::uint32_t batch, double lr, std::span<const std::uint64_t> seeds,
                              std::size_t threads);

// Cost at which the run first reaches `accuracy`, by linear interpolation; nullopt: it does not.
struct Reached {
  double cost = 0, generated = 0;
};
std::optional<Reached> reach(const SimRun& run, double accuracy);

// What a run is measured against: GRPO's run of the same world.
struct GrpoRun {
  double final_accuracy = 0, generated = 0;
};
GrpoRun grpo_run(const SimRun& run);

// Units to GRPO's final accuracy over the budget, and generated units over those of its full run.
// Where it is not reached: 1, and all that was generated.
struct AgainstGrpo {
  double units = 1, generated = 1;
};
AgainstGrpo against(const SimRun& run, const GrpoRun& grpo, double budget);

// A run that ends below the accuracy it started with.
bool collapsed(const SimRun& run);

}  // namespace allot::sim
