#include "allot/sim/contest.h"

#include <algorithm>
#include <utility>

#include "allot/core/controller.h"
#include "allot/core/error.h"
#include "allot/sim/parallel.h"

namespace allot::sim {
namespace {

constexpr std::uint64_t kTuningSeed = 100, kTuningSeeds = 8;
constexpr const char* kReference = "grpo";

double learning_rate(const SimulateOptions& options, const WorldOptions& world,
                     const Contender& contender) {
  if (options.tune == SimulateTuning::None) return options.lr;
  const TuningGrid grid{powers_of_two(-4, 1, 2), seed_range(kTuningSeed, kTuningSeeds)};
  const auto rule = options.tune == SimulateTuning::Best ? TuneBy::BestMean : TuneBy::Margin;
  return tune(world, contender, grid, static_cast<std::size_t>(options.threads)).choose(rule).lr;
}

}  // namespace

Contender contender(const SimulateOptions& options, const std::string& method, const Budget& step,
                    MethodFactory make_method) {
  Contender out{.name = method, .make_method = std::move(make_method)};
  out.batches = {static_cast<std::uint32_t>(options.prompts_per_step)};
  out.run.method = method;
  out.run.budget = options.budget;
  out.run.step = step;
  return out;
}

std::vector<Pool> pools_of(const SimulateOptions& options) {
  std::vector<Pool> pools;
  for (const std::string& text : options.pools) {
    if (text == "all") return {all_pools().begin(), all_pools().end()};
    pools.push_back(pool_named(text));
  }
  if (pools.empty())
    throw Error(ErrorKind::Config, "simulate.pools", "no pool was given; at least one is needed",
                "all takes every one");
  return pools;
}

ServedMethods served_methods(const SimulateOptions& options, const std::vector<std::string>& all,
                             const MakeContender& make) {
  std::vector<std::string> wanted = options.methods.empty() ? all : options.methods;
  std::erase(wanted, kReference);
  wanted.insert(wanted.begin(), kReference);
  ServedMethods served;
  for (const std::string& method : wanted) {
    try {
      const Controller refuses_or_not(make(method).make_method(),
                                      {.method = method, .host = host_traits()});
      if (std::find(served.methods.begin(), served.methods.end(), method) == served.methods.end())
        served.methods.push_back(method);
    } catch (const Error& error) {
      if (!options.methods.empty() || method == kReference) throw;
      served.left_out.emplace_back(method, error.what());
    }
  }
  return served;
}

SimulatedArm run_arm(const SimulateOptions& options, Pool pool, const Contender& contender,
                     const RecorderOf& recorder) {
  const WorldOptions world{.pool = pool, .lengths = options.lengths};
  const auto seeds = static_cast<std::size_t>(options.seeds);
  SimulatedArm arm{.method = contender.name,
                   .lr = learning_rate(options, world, contender),
                   .seeds = seed_range(options.seed, seeds),
                   .runs = std::vector<SimRun>(seeds)};
  for_each_index(seeds, static_cast<std::size_t>(options.threads), [&](std::size_t i) {
    Contender one = contender;
    if (recorder) one.run.recorder = recorder(i);
    const std::uint64_t seed[] = {arm.seeds[i]};
    arm.runs[i] = run_seeds(world, one, one.batches.at(0), arm.lr, seed, 1)[0];
  });
  return arm;
}

ArmNumbers numbers(const SimulatedArm& arm, const SimulatedArm& reference, double budget) {
  ArmNumbers out;
  const auto n = static_cast<double>(arm.runs.size());
  for (std::size_t i = 0; i < arm.runs.size(); ++i) {
    const SimRun& run = arm.runs[i];
    const AgainstGrpo to = against(run, grpo_run(reference.runs[i]), budget);
    out.finals.push_back(run.final_accuracy());
    out.units.push_back(to.units);
    out.generated.push_back(to.generated);
    out.collapsed += collapsed(run) / n;
    out.updates += static_cast<double>(run.updates) / n;
    out.generating += run.generated / run.cost / n;
  }
  return out;
}

}  // namespace allot::sim
