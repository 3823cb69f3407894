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
#include "allot/sim/contest.h"

namespace allot {

using sim::SimulatedArm;
using sim::SimulateOptions;
using sim::SimulateTuning;

struct SimulateRequest {
  SimulateOptions options;
  AllocOptions alloc;  // group_size is the simulator's 16 unless set
  AdvantageOptions adv;
  std::filesystem::path folder;  // for compare.json and report.html; one folder per pool if several
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
