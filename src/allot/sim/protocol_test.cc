#include "allot/sim/protocol.h"

#include <atomic>
#include <stdexcept>

#include <gtest/gtest.h>

#include "allot/core/error.h"
#include "allot/methods/registry.h"
#include "allot/sim/parallel.h"

namespace allot::sim {
namespace {

SimRun run_with(std::vector<CurvePoint> curve, double generated) {
  SimRun run;
  run.curve = std::move(curve);
  run.generated = generated;
  return run;
}

TEST(ForEachIndex, DoesEveryJobOnce) {
  for (const std::size_t threads : {0u, 1u, 3u}) {
    std::vector<std::atomic<int>> count(100);
    for_each_index(count.size(), threads, [&](std::size_t i) { ++count[i]; });
    for (const auto& c : count) EXPECT_EQ(c, 1);
  }
}

TEST(ForEachIndex, PassesTheFirstFailureOn) {
  std::atomic<int> done = 0;
  EXPECT_THROW(for_each_index(1000, 2,
                              [&](std::size_t i) {
                                if (i == 3) throw std::runtime_error("three");
                                ++done;
                              }),
               std::runtime_error);
  EXPECT_LT(done, 1000);
}

TEST(Reach, InterpolatesBetweenPoints) {
  const SimRun run = run_with({{0, 0, .2}, {10, 4, .4}, {20, 10, .3}, {30, 12, .8}}, 12);
  EXPECT_DOUBLE_EQ(reach(run, .3)->cost, 5);
  EXPECT_DOUBLE_EQ(reach(run, .3)->generated, 2);
  EXPECT_DOUBLE_EQ(reach(run, .55)->cost, 25);
  EXPECT_DOUBLE_EQ(reach(run, .1)->cost, 0);
  EXPECT_FALSE(reach(run, .81));
}

TEST(Against, WhatIsNotReachedCountsInFull) {
  const SimRun grpo = run_with({{0, 0, .2}, {100, 50, .6}}, 50);
  const SimRun fast = run_with({{0, 0, .2}, {50, 40, .6}, {100, 80, .9}}, 80);
  const SimRun slow = run_with({{0, 0, .2}, {100, 70, .5}}, 70);
  EXPECT_DOUBLE_EQ(against(fast, grpo_run(grpo), 100).units, .5);
  EXPECT_DOUBLE_EQ(against(fast, grpo_run(grpo), 100).generated, .8);
  EXPECT_DOUBLE_EQ(against(slow, grpo_run(grpo), 100).units, 1);
  EXPECT_DOUBLE_EQ(against(slow, grpo_run(grpo), 100).generated, 1.4);
  EXPECT_FALSE(collapsed(slow));
  EXPECT_TRUE(collapsed(run_with({{0, 0, .2}, {100, 70, .1}}, 70)));
}

TEST(Tuning, MarginStepsBackFromTheEdge) {
  // The second learning rate is best on average; its upper neighbour fails in one seed.
  const TuningTable table{{64}, {.1, .2, .4}, {{{.5, .5}, {.7, .7}, {.8, .0}}}};
  const auto best = table.choose(TuneBy::BestMean);
  EXPECT_EQ(best.lr, .2);
  EXPECT_FALSE(best.at_edge);
  const auto margin = table.choose(TuneBy::Margin);
  EXPECT_EQ(margin.lr, .1);  // worse of neighbours: .5, .5 against .7, 0
  EXPECT_DOUBLE_EQ(margin.score, .5);
  const TuningTable edge{{64, 16}, {.1, .2}, {{{.5}, {.6}}, {{.4}, {.9}}}};
  EXPECT_EQ(edge.choose(TuneBy::BestMean).batch, 16u);
  EXPECT_TRUE(edge.choose(TuneBy::BestMean).at_edge);
}

TEST(Grids, OfTheProtocol) {
  EXPECT_EQ(powers_of_two(-5, 1, 1),
            (std::vector<double>{1.0 / 32, 1.0 / 16, .125, .25, .5, 1, 2}));
  EXPECT_EQ(powers_of_two(-4, 1, 2).size(), 11u);
  EXPECT_EQ(seed_range(100, 3), (std::vector<std::uint64_t>{100, 101, 102}));
}

Contender grpo_contender() {
  Contender contender{.name = "grpo", .batches = {8, 4}};
  contender.run.method = "grpo";
  contender.run.group_size = 8;
  contender.run.budget = 2000;
  contender.make_method = [] {
    AllocOptions alloc;
    return make_method(alloc, {});
  };
  return contender;
}

TEST(Protocol, ThreadsChangeNothing) {
  const WorldOptions world{.pool = Pool::Uniform, .train = 60, .held_out = 30};
  const TuningGrid grid{{.1, .3}, seed_range(0, 3)};
  const TuningTable one = tune(world, grpo_contender(), grid, 1);
  const TuningTable two = tune(world, grpo_contender(), grid, 2);
  EXPECT_EQ(one.finals, two.finals);
  EXPECT_NE(one.finals[0][0], one.finals[0][1]);
  EXPECT_NE(one.finals[0][0], one.finals[1][0]);
  const auto seeds = seed_range(0, 3);
  const std::vector<SimRun> runs = run_seeds(world, grpo_contender(), 4, .3, seeds, 2);
  for (std::size_t i = 0; i < runs.size(); ++i)
    EXPECT_EQ(runs[i].final_accuracy(), one.finals[1][1][i]);
  EXPECT_THROW(tune(world, grpo_contender(), {{}, seeds}, 1), Error);
}

}  // namespace
}  // namespace allot::sim
