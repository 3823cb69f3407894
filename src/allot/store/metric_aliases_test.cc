#include "allot/store/metric_aliases.h"

#include <map>
#include <set>

#include <gtest/gtest.h>

namespace allot {
namespace {

std::map<std::string, double> named(std::vector<Metric> metrics,
                                    const std::vector<std::string>& of) {
  add_aliases(metrics, of);
  std::map<std::string, double> values;
  for (const Metric& metric : metrics) {
    EXPECT_TRUE(values.emplace(metric.name, metric.value).second) << metric.name;
  }
  return values;
}

TEST(MetricAliases, StandBesideOurNames) {
  const std::vector<Metric> ours = {{"reward/mean", 0.5}, {"optim/lr", 1e-6}, {"other", 3}};
  EXPECT_EQ(named(ours, {"trl"}), (std::map<std::string, double>{{"reward/mean", 0.5},
                                                                 {"optim/lr", 1e-6},
                                                                 {"other", 3},
                                                                 {"reward", 0.5},
                                                                 {"learning_rate", 1e-6}}));
  EXPECT_EQ(named(ours, {"none"}).size(), 3u);
  EXPECT_EQ(named(ours, {}).size(), 3u);
  EXPECT_EQ(named(ours, {"trl", "verl"}).size(), 7u);
}

TEST(MetricAliases, RewardFunctionsKeepTheirNames) {
  const auto all =
      named({{"reward/math/mean", 0.5}, {"reward/math/std", 0.1}, {"reward/std", 2}}, {"trl"});
  EXPECT_EQ(all.at("rewards/math/mean"), 0.5);
  EXPECT_EQ(all.at("rewards/math/std"), 0.1);
  EXPECT_EQ(all.at("reward_std"), 2);
  EXPECT_EQ(all.size(), 6u);
}

TEST(MetricAliases, AShareOfZeroDeviationIsTheSumOfItsCausesOrAbsent) {
  const std::vector<Metric> parts = {
      {"group/frac_all_good", 0.25}, {"group/frac_all_bad", 0.5}, {"group/zero_cause/tie", 0.125}};
  EXPECT_EQ(named(parts, {"trl"}).at("frac_reward_zero_std"), 0.875);
  EXPECT_FALSE(named({parts[0], parts[1]}, {"trl"}).contains("frac_reward_zero_std"));
}

TEST(MetricAliases, NoNameIsGivenTwice) {
  std::set<std::string> theirs;
  for (const char* project : {"trl", "verl"})
    for (const MetricAlias& alias : metric_aliases(project))
      EXPECT_TRUE(theirs.insert(alias.theirs).second) << alias.theirs;
}

}  // namespace
}  // namespace allot
