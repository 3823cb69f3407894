// Methods compared in a simulated world: `allot simulate`. Runs are in memory; nothing of them is
// written but the report.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "allot/core/options.h"
#include "allot/methods/registry.h"
#include "allot/report/comparison.h"
#include "allot/report/text_table.h"
#include "allot/sim/protocol.h"

namespace allot {

enum class SimulateTuning { None, Best, Margin };

struct SimulateOptions {
  std::vector<std::string> methods;  // empty: all that the simulated world can serve
  std::vector<std::string> pools = {"bimodal"};
  sim::Lengths lengths = sim::Lengths::Default;
  int seeds = 20, prompts_per_step = 64, threads = 2;
  std::uint64_t seed = 0;
  double lr = 0.25, budget = 256000;
  SimulateTuning tune = SimulateTuning::None;

  template <class V>
  void fields(V& v) {
    using sim::Lengths;
    v("methods", methods, "methods compared; none = all that the simulated world can serve");
    v("pools", pools,
      "how hard the prompts are: bimodal, hard, uniform, solved, heavy, dead; all = every one");
    v("lengths", lengths,
      Choices<Lengths>{
          {"default", Lengths::Default}, {"equal", Lengths::Equal}, {"split", Lengths::Split}},
      "answer lengths: log-normal; all equal; or long answers need other skills than short ones");
    v("seeds", seeds, Range{1, 1000}, "worlds, the same for every method");
    v("seed", seed, Range{0, 9e15}, "the first world");
    v("prompts_per_step", prompts_per_step, Range{1, 1e5}, "groups wanted in one update");
    v("lr", lr, Range{0, 100}, "learning rate of every method, unless it is tuned");
    v("budget", budget, Range{1, 1e9},
      "compute of a run: responses of mean length generated, a trained one counts three more");
    v("tune", tune,
      Choices<SimulateTuning>{{"none", SimulateTuning::None},
                              {"best", SimulateTuning::Best},
                              {"margin", SimulateTuning::Margin}},
      "learning rate of each method by 8 other worlds: the best mean final accuracy, or the best "
      "worse one of it and the next larger learning rate");
    v("threads", threads, Range{1, 256}, "runs at the same time");
  }
};

struct SimulateRequest {
  SimulateOptions options;
  AllocOptions alloc;  // group_size is the simulator's 16 unless set
  AdvantageOptions adv;
  std::filesystem::path folder;  // for compare.json and report.html; one folder per pool if several
};

// One method on one pool.
struct SimulatedArm {
  std::string method;
  double lr = 0;
  std::vector<std::uint64_t> seeds;
  std::vector<sim::SimRun> runs;  // in the order of `seeds`
};

struct SimulatedPool {
  sim::Pool pool = sim::Pool::Bimodal;
  std::vector<SimulatedArm> arms;  // the reference, grpo, first
  std::filesystem::path report;
};

struct SimulateResult {
  std::vector<SimulatedPool> pools;
  std::vector<std::pair<std::string, std::string>> left_out;  // method, why it cannot be simulated
};

// Called before each method of each pool.
using BeginSimulation = std::function<void(const std::string& what)>;

// Throws Error(Config): a method or pool that does not exist, options out of range, a method named
// in the request that the world cannot serve.
SimulateResult simulate(const SimulateRequest& request, const BeginSimulation& begin);

// Final accuracy, compute and generated tokens to GRPO's final accuracy, with 95 % intervals.
TextTable simulation_table(const SimulatedPool& pool, double budget);
std::string simulation_json(const SimulateResult& result, const SimulateOptions& options);

}  // namespace allot
