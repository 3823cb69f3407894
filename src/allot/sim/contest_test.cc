#include "allot/sim/contest.h"

#include <gtest/gtest.h>

#include "allot/core/error.h"
#include "allot/methods/registry.h"

namespace allot::sim {
namespace {

Contender contender(const std::string& method, const SimulateOptions& options) {
  Contender out;
  out.name = out.run.method = method;
  out.make_method = [method] {
    AllocOptions alloc;
    alloc.method = method;
    return make_method(alloc, {});
  };
  out.batches = {static_cast<std::uint32_t>(options.prompts_per_step)};
  out.run.group_size = 8;
  out.run.budget = options.budget;
  return out;
}

SimulateOptions small() {
  SimulateOptions options;
  options.seeds = 2;
  options.prompts_per_step = 16;
  options.budget = 3000;
  return options;
}

MakeContender maker(const SimulateOptions& options) {
  return [&options](const std::string& method) { return contender(method, options); };
}

TEST(Contest, PutsTheReferenceFirstAndNoMethodTwice) {
  SimulateOptions options = small();
  options.methods = {"aero", "grpo", "aero"};
  const ServedMethods served = served_methods(options, method_names(), maker(options));
  EXPECT_EQ(served.methods, (std::vector<std::string>{"grpo", "aero"}));
  EXPECT_TRUE(served.left_out.empty());
}

TEST(Contest, LeavesOutWhatTheWorldCannotServeUnlessItWasNamed) {
  SimulateOptions options = small();
  const std::vector<std::string> all = {"grpo", "vip"};
  const auto make = [&](const std::string& method) {
    Contender out = contender(method, options);
    if (method == "vip")  // its Gaussian process needs embeddings, which this world has not
      out.make_method = [] {
        AllocOptions alloc;
        alloc.method = "vip";
        OptionList::of(alloc, "alloc").set("alloc.vip.belief", "embedding", "test");
        return make_method(alloc, {});
      };
    return out;
  };
  const ServedMethods served = served_methods(options, all, make);
  EXPECT_EQ(served.methods, std::vector<std::string>{"grpo"});
  ASSERT_EQ(served.left_out.size(), 1u);
  EXPECT_NE(served.left_out[0].second.find("embedding"), std::string::npos);
  options.methods = {"vip"};
  EXPECT_THROW(served_methods(options, all, make), Error);
}

TEST(Contest, MeasuresAnArmAgainstTheReference) {
  const SimulateOptions options = small();
  const SimulatedArm grpo = run_arm(options, Pool::Uniform, contender("grpo", options));
  ASSERT_EQ(grpo.runs.size(), 2u);
  EXPECT_EQ(grpo.seeds, (std::vector<std::uint64_t>{0, 1}));
  EXPECT_EQ(grpo.lr, options.lr);
  const ArmNumbers n = numbers(grpo, grpo, options.budget);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(n.finals[i], grpo.runs[i].final_accuracy());
    EXPECT_LE(n.units[i], 1);
    EXPECT_LE(n.generated[i], 1);
  }
  EXPECT_GT(n.updates, 0);
  EXPECT_GT(n.generating, 0);
  EXPECT_LT(n.generating, 1);
}

TEST(Contest, RefusesPoolsThatDoNotExist) {
  SimulateOptions options = small();
  options.pools = {"hard", "hrad"};
  EXPECT_THROW(pools_of(options), Error);
  options.pools = {};
  EXPECT_THROW(pools_of(options), Error);
  options.pools = {"hard", "all"};
  EXPECT_EQ(pools_of(options).size(), all_pools().size());
}

}  // namespace
}  // namespace allot::sim
