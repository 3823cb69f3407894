// Acceptance tests 1 and 2 of the simulator's specification: its reference numbers, with the
// tolerances it names for a rebuild.
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "allot/methods/registry.h"
#include "allot/sim/protocol.h"

namespace allot::sim {
namespace {

using Settings = std::vector<std::pair<std::string, std::string>>;

// evidence as the specification has it: no prompt noise, first price 0.
const Settings kSpecified = {{"alloc.evidence.prompt_noise", "0"},
                             {"alloc.evidence.first_price", "0"}};

Contender contestant(const std::string& method, const Settings& settings = {}) {
  Contender out{.name = method};
  out.run.method = method;
  out.make_method = [method, settings] {
    AllocOptions alloc;
    AdvantageOptions adv;
    alloc.method = method;
    alloc.group_size = 16;
    OptionList list = OptionList::of(alloc, "alloc");
    list.add(adv, "adv");
    for (const auto& [key, value] : settings) list.set(key, value, "test");
    return make_method(alloc, adv);
  };
  return out;
}

// Mean evidence rate at lr 0, 64 prompts per step; the same four world seeds for every method.
double static_rate(Pool pool, const Contender& who) {
  const auto seeds = seed_range(0, 4);
  double sum = 0;
  for (const SimRun& run : run_seeds({.pool = pool}, who, 64, 0, seeds, 2))
    sum += run.evidence_rate();
  return sum / 4;
}

struct StaticRow {
  const char* name;
  Contender contender;
  double tolerance;
  double rate[6];  // relative to GRPO, in the order of all_pools()
};

// "Reference numbers", first column. The reference's DAPO throws surplus groups away and does not
// bound a draw; ours bounds it by a draw's usual size, which wastes a little less. evidence: within
// the table's 8 % over ten seeds, and these are four.
TEST(Reference, StaticRates) {
  const double grpo[6] = {.0193, .0251, .0415, .0200, .0361, .0385};
  const Settings dapo = {{"alloc.refill.keep_surplus", "false"},
                         {"alloc.dapo.candidates_per_group", "1"}};
  const std::vector<StaticRow> rows = {
      {"grpo no std",
       contestant("grpo", {{"adv.scale", "none"}}),
       .04,
       {1.08, 1.08, 1.04, 1.08, 1.06, 1.04}},
      {"dapo", contestant("dapo", dapo), .06, {.94, .93, .99, .94, .97, .93}},
      {"aero", contestant("aero"), .04, {.45, .45, .77, .58, .57, .32}},
      {"evidence", contestant("evidence", kSpecified), .10, {2.47, 2.07, 1.23, 1.58, 1.48, 1.43}}};
  for (std::size_t i = 0; i < 6; ++i) {
    const Pool pool = all_pools()[i];
    const double base = static_rate(pool, contestant("grpo"));
    EXPECT_NEAR(base / grpo[i], 1, .04) << name(pool);
    for (const StaticRow& row : rows)
      EXPECT_NEAR(static_rate(pool, row.contender) / base / row.rate[i], 1, row.tolerance)
          << row.name << " on " << name(pool);
  }
}

double mean_final(const std::vector<SimRun>& runs) {
  double sum = 0;
  for (const SimRun& run : runs) sum += run.final_accuracy() / static_cast<double>(runs.size());
  return sum;
}

// Learning rows at the batch and learning rate that tuning chooses; six of the twenty seeds.
TEST(Reference, LearningRows) {
  const auto seeds = seed_range(2000, 6);
  const WorldOptions uniform{.pool = Pool::Uniform},
      hard{.pool = Pool::Hard, .lengths = Lengths::Equal};
  EXPECT_NEAR(mean_final(run_seeds(uniform, contestant("grpo"), 16, .5, seed_range(0, 6), 2)), .937,
              .03);

  const auto grpo = run_seeds(hard, contestant("grpo"), 64, .1768, seeds, 2);
  const auto evidence = run_seeds(hard, contestant("evidence", kSpecified), 64, .25, seeds, 2);
  EXPECT_NEAR(mean_final(grpo), .217, .03);
  EXPECT_NEAR(mean_final(evidence), .270, .03);
  double units = 0;
  for (std::size_t i = 0; i < seeds.size(); ++i)
    units += against(evidence[i], grpo_run(grpo[i]), contestant("grpo").run.budget).units / 6;
  EXPECT_NEAR(units, .61, .15);
}

}  // namespace
}  // namespace allot::sim
