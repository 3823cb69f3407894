// Acceptance tests 3 to 6 of the simulator's specification; 1 and 2: reference_test.cc.
#include "allot/sim/simulation.h"

#include <cmath>
#include <map>

#include <gtest/gtest.h>

#include "allot/loop/rollout_store.h"
#include "allot/methods/registry.h"
#include "allot/sim/policy.h"

namespace allot::sim {
namespace {

MethodFactory method(const std::string& name) {
  return [name] {
    AllocOptions alloc;
    alloc.method = name;
    alloc.group_size = 16;
    return make_method(alloc, {});
  };
}

// Adds up what each step shipped.
class Books final : public Recorder {
 public:
  void step(const StepRecord& record) override {
    for (const TrainGroup& group : record.batch.groups)
      for (std::uint32_t i = group.first; i < group.first + group.count; ++i) {
        const TrainItem& item = record.batch.items[i];
        const StoredRollout& stored = record.store.get(item.rollout);
        shipped += stored.rollout.length() / 1000.0;
        coefficient[group.prompt] += double{item.weight} * item.advantage * stored.score.reward;
      }
    for (const std::uint32_t place : record.batch.probe) {  // computed a second time
      const TrainGroup& group = record.batch.groups[place];
      for (std::uint32_t i = group.first; i < group.first + group.count; ++i)
        shipped += record.store.get(record.batch.items[i].rollout).rollout.length() / 1000.0;
    }
    for (const RolloutId id : record.generated)
      generated += record.store.get(id).rollout.length() / 1000.0;
    for (const Issued& issued : record.issued) prompts.push_back(issued.prompt);
  }
  void event(const Event&) override {}

  double shipped = 0, generated = 0;
  std::map<PromptId, double> coefficient;
  std::vector<PromptId> prompts;
};

TEST(Simulation, LedgerAddsUp) {
  for (const char* name : {"grpo", "dapo", "aero", "evidence"}) {
    Books books;
    RunSettings settings{.prompts_per_step = 16, .budget = 20000, .recorder = &books};
    const SimRun run = simulate(World({.pool = Pool::Heavy}, 1), settings, method(name));
    EXPECT_NEAR(run.cost, books.generated + 3 * books.shipped, 1e-9 * run.cost) << name;
    EXPECT_NEAR(run.generated, books.generated, 1e-9 * run.cost);
    EXPECT_GE(run.cost, 20000);
    EXPECT_EQ(run.curve.size(), 41u);
    EXPECT_DOUBLE_EQ(run.curve.back().cost, 20000);
    EXPECT_FALSE(run.stalled);
  }
}

TEST(Simulation, SameSeedsGiveTheSameCurveAndOtherMethodsSeeTheSamePrompts) {
  const World world({.pool = Pool::Uniform}, 4);
  std::map<std::string, Books> books;
  for (const char* name : {"grpo", "aero"}) {
    RunSettings settings{.prompts_per_step = 16, .budget = 10000};
    const SimRun a = simulate(world, settings, method(name));
    settings.recorder = &books[name];
    const SimRun b = simulate(World({.pool = Pool::Uniform}, 4), settings, method(name));
    ASSERT_EQ(a.curve.size(), b.curve.size());
    for (std::size_t i = 0; i < a.curve.size(); ++i)
      EXPECT_EQ(a.curve[i].accuracy, b.curve[i].accuracy);
    settings.rollout_seed = 77;
    EXPECT_NE(simulate(world, settings, method(name)).final_accuracy(), a.final_accuracy());
  }
  for (std::size_t i = 0; i < 16; ++i)
    EXPECT_EQ(books["grpo"].prompts[i], books["aero"].prompts[i]);
}

// E[ sum A (r - p) ] of a GRPO group of 16, by enumeration of the number correct.
double expected_gain(double p) {
  constexpr int n = 16;
  double sum = 0, ways = 1;
  for (int m = 0; m <= n; ++m) {
    const double x = static_cast<double>(m) * (n - m) / n;
    if (x > 0) sum += ways * std::pow(p, m) * std::pow(1 - p, n - m) * x / std::sqrt(x / (n - 1));
    ways *= static_cast<double>(n - m) / (m + 1);
  }
  return sum;
}

// 3: at lr 0 and without noise the mean update is parallel to sum E[sum A (r - p)] (a, c).
TEST(Simulation, MeanUpdateIsParallelToItsExpectation) {
  class Sum final : public Recorder {
   public:
    explicit Sum(const Policy& policy) : policy_(policy) {}
    void step(const StepRecord& record) override {
      const std::vector<double> c = item_coefficients(record.batch);
      for (const TrainGroup& group : record.batch.groups)
        for (std::uint32_t i = group.first; i < group.first + group.count; ++i) {
          const double r = record.store.get(record.batch.items[i].rollout).score.reward;
          add_gradient(total, c[i] * (r - policy_.pass_rate(group.prompt)), policy_.world(),
                       group.prompt);
        }
    }
    void event(const Event&) override {}
    Parameters total;

   private:
    const Policy& policy_;
  };
  constexpr std::uint32_t kPrompts = 40;  // all of them in every step
  const World world({.pool = Pool::Uniform, .train = kPrompts, .noise = 0}, 2);
  const Policy policy(world);
  Sum sum(policy);
  const RunSettings settings{
      .prompts_per_step = kPrompts, .learner = {.lr = 0}, .budget = 600000, .recorder = &sum};
  simulate(world, settings, method("grpo"));
  Parameters expected;
  for (std::size_t i = 0; i < kPrompts; ++i)
    add_gradient(expected, expected_gain(policy.pass_rate(i)), world, i);
  double dot = 0;
  for (std::size_t k = 0; k < kSkills; ++k) dot += sum.total.theta[k] * expected.theta[k];
  for (std::size_t d = 0; d < kIdiosyncratic; ++d) dot += sum.total.psi[d] * expected.psi[d];
  EXPECT_GT(dot / std::sqrt(sum.total.squared_length() * expected.squared_length()), .999);
}

// 5: without damage a larger learning rate is better; with it every pool has an interior best.
TEST(Simulation, DriftMakesAnInteriorBestLearningRate) {
  const auto final_at = [](double drift, double lr) {
    double sum = 0;
    for (std::uint64_t seed = 0; seed < 2; ++seed) {
      RunSettings settings{.rollout_seed = seed, .learner = {.lr = lr}};
      sum +=
          simulate(World({.pool = Pool::Uniform, .drift = drift}, seed), settings, method("grpo"))
              .final_accuracy();
    }
    return sum / 2;
  };
  const double lrs[] = {.125, .25, .5, 1}, finals[] = {.67, .79, .94, .99};
  for (int i = 0; i < 4; ++i) EXPECT_NEAR(final_at(0, lrs[i]), finals[i], .03) << lrs[i];
  const double low = final_at(.2, .25), best = final_at(.2, .5), high = final_at(.2, 2);
  EXPECT_GT(best, low + .05);
  EXPECT_GT(best, high + .2);
}

class Lazy final : public Method {
 public:
  Needs needs() const override { return {}; }
  Decision plan(const BatchView&) override { return {.done = true}; }
  Decision observe(const Events&) override { return {.done = true}; }
  TrainBatch finalize() override { return {}; }
};

TEST(Simulation, AMethodThatAsksForNothingEndsTheRun) {
  const SimRun run =
      simulate(World({.train = 20, .held_out = 5}, 1), {}, [] { return std::make_unique<Lazy>(); });
  EXPECT_TRUE(run.stalled);
  EXPECT_EQ(run.cost, 0);
  EXPECT_EQ(run.evidence_rate(), 0);
  EXPECT_EQ(run.final_accuracy(), run.start_accuracy());
}

}  // namespace
}  // namespace allot::sim
