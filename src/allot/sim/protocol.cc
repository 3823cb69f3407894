#include "allot/sim/protocol.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>

#include "allot/core/error.h"
#include "allot/sim/parallel.h"

namespace allot::sim {
namespace {

// Keeps rollouts of one world seed apart from anything drawn from a world seed.
constexpr std::uint64_t kRolloutSeeds = 1'000'000;

std::vector<std::unique_ptr<World>> worlds_of(const WorldOptions& options,
                                              std::span<const std::uint64_t> seeds,
                                              std::size_t threads) {
  std::vector<std::unique_ptr<World>> worlds(seeds.size());
  for_each_index(seeds.size(), threads,
                 [&](std::size_t i) { worlds[i] = std::make_unique<World>(options, seeds[i]); });
  return worlds;
}

SimRun run_one(const World& world, const Contender& contender, std::uint32_t batch, double lr) {
  RunSettings settings = contender.run;
  settings.prompts_per_step = batch;
  settings.learner.lr = lr;
  settings.rollout_seed += kRolloutSeeds + world.seed();
  return simulate(world, settings, contender.make_method);
}

double mean(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

}  // namespace

std::vector<double> powers_of_two(double low, double high, int per_octave) {
  std::vector<double> all;
  const long steps = std::lround((high - low) * per_octave);
  for (long i = 0; i <= steps; ++i)
    all.push_back(std::exp2(low + static_cast<double>(i) / per_octave));
  return all;
}

std::vector<std::uint64_t> seed_range(std::uint64_t first, std::uint64_t count) {
  std::vector<std::uint64_t> seeds(count);
  std::iota(seeds.begin(), seeds.end(), first);
  return seeds;
}

TuningTable tune(const WorldOptions& world, const Contender& contender, const TuningGrid& grid,
                 std::size_t threads) {
  if (grid.lrs.empty() || grid.seeds.empty() || contender.batches.empty())
    throw Error(ErrorKind::Config, "simulator",
                concat("nothing to tune for ", contender.name,
                       "; learning rates, batches and seeds are needed"));
  const auto worlds = worlds_of(world, grid.seeds, threads);
  TuningTable table{contender.batches, grid.lrs, {}};
  const std::size_t batches = table.batches.size(), lrs = table.lrs.size();
  table.finals.assign(batches, std::vector(lrs, std::vector<double>(grid.seeds.size())));
  for_each_index(batches * lrs * worlds.size(), threads, [&](std::size_t job) {
    const std::size_t seed = job % worlds.size();
    const std::size_t lr = job / worlds.size() % lrs, batch = job / worlds.size() / lrs;
    table.finals[batch][lr][seed] =
        run_one(*worlds[seed], contender, table.batches[batch], table.lrs[lr]).final_accuracy();
  });
  return table;
}

TuningTable::Choice TuningTable::choose(TuneBy rule) const {
  const std::size_t eligible =
      rule == TuneBy::Margin && lrs.size() > 1 ? lrs.size() - 1 : lrs.size();
  Choice best;
  best.score = -1;
  for (std::size_t b = 0; b < batches.size(); ++b)
    for (std::size_t l = 0; l < eligible; ++l) {
      std::vector<double> scores = finals[b][l];
      if (rule == TuneBy::Margin && l + 1 < lrs.size())
        for (std::size_t s = 0; s < scores.size(); ++s)
          scores[s] = std::min(scores[s], finals[b][l + 1][s]);
      const double score = mean(scores);
      if (score > best.score) best = {batches[b], lrs[l], score, l == 0 || l + 1 == eligible};
    }
  return best;
}

std::vector<SimRun> run_seeds(const WorldOptions& world, const Contender& contender,
                              std::uint32_t batch, double lr, std::span<const std::uint64_t> seeds,
                              std::size_t threads) {
  std::vector<SimRun> runs(seeds.size());
  for_each_index(seeds.size(), threads, [&](std::size_t i) {
    runs[i] = run_one(World(world, seeds[i]), contender, batch, lr);
  });
  return runs;
}

std::optional<Reached> reach(const SimRun& run, double accuracy) {
  const CurvePoint* before = &run.curve.front();
  if (before->accuracy >= accuracy) return Reached{before->cost, before->generated};
  for (const CurvePoint& point : run.curve) {
    if (point.accuracy >= accuracy) {
      const double part = (accuracy - before->accuracy) / (point.accuracy - before->accuracy);
      return Reached{before->cost + part * (point.cost - before->cost),
                     before->generated + part * (point.generated - before->generated)};
    }
    before = &point;
  }
  return std::nullopt;
}

GrpoRun grpo_run(const SimRun& run) { return {run.final_accuracy(), run.generated}; }

AgainstGrpo against(const SimRun& run, const GrpoRun& grpo, double budget) {
  const auto reached = reach(run, grpo.final_accuracy);
  return {reached ? reached->cost / budget : 1,
          (reached ? reached->generated : run.generated) / grpo.generated};
}

bool collapsed(const SimRun& run) { return run.final_accuracy() < run.start_accuracy(); }

}  // namespace allot::sim
