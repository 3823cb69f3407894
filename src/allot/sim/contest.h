// Several methods in the same simulated worlds, each measured against GRPO: what `allot simulate`
// prints and allot.simulate() of the Python package returns.
//
// How a method is made is the caller's business (MakeContender): this room knows none by name but
// the reference.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "allot/core/options.h"
#include "allot/sim/protocol.h"

namespace allot::sim {

enum class SimulateTuning { None, Best, Margin };

struct SimulateOptions {
  std::vector<std::string> methods;  // empty: all that the simulated world can serve
  std::vector<std::string> pools = {"bimodal"};
  Lengths lengths = Lengths::Default;
  int seeds = 20, prompts_per_step = 64, threads = 2;
  std::uint64_t seed = 0;
  double lr = 0.25, budget = 256000;
  SimulateTuning tune = SimulateTuning::None;

  template <class V>
  void fields(V& v) {
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

// One method on one pool.
struct SimulatedArm {
  std::string method;
  double lr = 0;
  std::vector<std::uint64_t> seeds;
  std::vector<SimRun> runs;  // in the order of `seeds`
};

// One with the options' batch and budget, and `step` as the budget of its steps.
Contender contender(const SimulateOptions& options, const std::string& method, const Budget& step,
                    MethodFactory make_method);

// A contender made from a method's name; its lr, batch and seeds are set here.
using MakeContender = std::function<Contender(const std::string& method)>;

// The recorder of the run with the i-th seed; may be empty, or return nullptr.
using RecorderOf = std::function<Recorder*(std::size_t i)>;

// The pools that the options name. Throws Error(Config) for an unknown one, or none.
std::vector<Pool> pools_of(const SimulateOptions& options);

struct ServedMethods {
  std::vector<std::string> methods;                           // the reference first
  std::vector<std::pair<std::string, std::string>> left_out;  // method, why not
};

// Those of SimulateOptions::methods, or of `all` if it names none. A method that the world cannot
// serve is left out, or, if it was named, Error(Config).
ServedMethods served_methods(const SimulateOptions& options, const std::vector<std::string>& all,
                             const MakeContender& make);

SimulatedArm run_arm(const SimulateOptions& options, Pool pool, const Contender& contender,
                     const RecorderOf& recorder = {});

// Per seed of an arm, in the order of its runs; shares and means over them.
struct ArmNumbers {
  std::vector<double> finals;            // held-out accuracy at the end
  std::vector<double> units, generated;  // to GRPO's final accuracy; AgainstGrpo
  double collapsed = 0;                  // share of runs that end below where they started
  double updates = 0;                    // optimizer updates per run
  double generating = 0;                 // share of the compute spent on generating
};
ArmNumbers numbers(const SimulatedArm& arm, const SimulatedArm& reference, double budget);

}  // namespace allot::sim
