#include "allot/loop/health.h"

#include <vector>

#include <gtest/gtest.h>

#include "allot/loop/testing/toy_world.h"

namespace allot {
namespace {

std::vector<GroupReport> reports(int mixed, int dead) {
  std::vector<GroupReport> all(static_cast<std::size_t>(mixed + dead));
  for (std::size_t i = 0; i < all.size(); ++i) {
    all[i].prompt = i;
    all[i].cause = static_cast<int>(i) < mixed ? ZeroCause::None : ZeroCause::AllWrong;
  }
  return all;
}

// Feeds steps that consist of nothing but reports and metrics.
class Watched {
 public:
  explicit Watched(HealthOptions options) : watch_(options) {}

  std::vector<Event> step(std::vector<GroupReport> reports, std::vector<Metric> metrics = {}) {
    TrainBatch batch;
    batch.reports = std::move(reports);
    return watch_.step({step_++, {}, {}, batch, {}, store_, prompts_, metrics, {}, {}});
  }
  bool must_stop() const { return watch_.must_stop(); }

 private:
  HealthWatch watch_;
  testing::ToyPrompts prompts_{10};
  RolloutStore store_;
  std::uint64_t step_ = 0;
};

std::vector<std::string> codes(const std::vector<Event>& events) {
  std::vector<std::string> all;
  for (const Event& event : events) all.push_back(event.code);
  return all;
}
using Codes = std::vector<std::string>;

TEST(HealthWatch, NamesAFunctionThatGivesOneValueOnly) {
  HealthOptions options{0.99, 20, 0};
  options.constant_steps = 3;
  const auto step = [](double format, double math, double spread) {
    return std::vector<Metric>{
        {"reward/mean", 1},       {"reward/std", 0},          {"reward/format/mean", format},
        {"reward/format/std", 0}, {"reward/math/mean", math}, {"reward/math/std", spread}};
  };
  Watched watch(options);
  EXPECT_TRUE(watch.step(reports(9, 1), step(2, 0.5, 0)).empty());
  EXPECT_TRUE(watch.step(reports(9, 1), step(2, 0.5, 0.1)).empty());
  const auto said = watch.step(reports(9, 1), step(2, 0.5, 0));
  ASSERT_EQ(codes(said), Codes{"constant_reward"});
  EXPECT_EQ(said[0].text,
            "reward function format gave 2 to every response of the first 3 steps; nothing can be "
            "learned of it");
  EXPECT_TRUE(watch.step(reports(9, 1), step(2, 0.5, 0)).empty());  // once

  Watched other(options);  // values that differ between steps only
  for (const double value : {1.0, 1.0, 0.0})
    EXPECT_EQ(codes(other.step(reports(9, 1), step(value, 0.5, 0))).size(), value == 0 ? 1u : 0u);
  options.constant_steps = 0;
  Watched never(options);
  for (int i = 0; i < 9; ++i) EXPECT_TRUE(never.step(reports(9, 1), step(2, 0, 0)).empty());
}

TEST(HealthWatch, WarnsOncePerIntervalAndNamesCauseAndPrompts) {
  Watched watch({0.5, 20, 0});
  EXPECT_TRUE(watch.step(reports(5, 5)).empty());  // exactly half is not above half
  const auto said = watch.step(reports(4, 6));
  ASSERT_EQ(codes(said), Codes{"zero_signal"});
  EXPECT_EQ(said[0].severity, Severity::Warning);
  EXPECT_NE(said[0].text.find("60 %"), std::string::npos);
  EXPECT_NE(said[0].text.find("all_wrong"), std::string::npos);
  EXPECT_NE(said[0].text.find("toy-4, toy-5, toy-6"), std::string::npos);
  for (int step = 2; step < 20; ++step) EXPECT_TRUE(watch.step(reports(0, 10)).empty());
  EXPECT_EQ(codes(watch.step(reports(0, 10))), Codes{"no_signal"});  // the 20th in a row
  EXPECT_EQ(codes(watch.step(reports(0, 10))), Codes{"zero_signal"});
}

TEST(HealthWatch, RaisesTheAlarmForMixedCausesOfManySteps) {
  Watched watch({0.5, 4, 0});
  std::vector<GroupReport> step = reports(4, 3);  // 4 with signal, 3 all wrong, 3 all right
  for (int i = 0; i < 3; ++i) step.push_back({.prompt = 0, .cause = ZeroCause::AllRight});
  std::vector<GroupReport> more = reports(4, 4);
  for (int i = 0; i < 2; ++i) more.push_back({.prompt = 0, .cause = ZeroCause::AllRight});
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(watch.step(step).empty());
  EXPECT_TRUE(watch.step(reports(6, 4)).empty());  // a good step in between
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(watch.step(step).empty());
  const auto said = watch.step(more);
  ASSERT_EQ(codes(said), Codes{"no_signal"});
  EXPECT_NE(said[0].text.find("for 4 steps more than 50 %"), std::string::npos) << said[0].text;
  EXPECT_NE(said[0].text.find("60 % on average"), std::string::npos) << said[0].text;
  EXPECT_NE(said[0].text.find("all_wrong 33 %: these prompts"), std::string::npos) << said[0].text;
  EXPECT_TRUE(watch.step(step).empty());  // counting begins anew
}

TEST(HealthWatch, ReportsSharesOfTheWholeInterval) {
  Watched watch({1, 20, 2});
  EXPECT_TRUE(watch.step(reports(10, 0), {{"verifier/error", 2}}).empty());
  const auto said = watch.step(reports(5, 5), {{"verifier/error", 1},
                                               {"verifier/not_scorable", 4},
                                               {"ledger/dead", 3},
                                               {"ledger/solved", 8}});
  ASSERT_EQ(codes(said), Codes{"health"});
  EXPECT_EQ(
      said[0].text,
      "prompts with signal 75 %, all_wrong 25 %; prompts dead 3, solved 8; verifier faults 7");
  EXPECT_TRUE(watch.step({}).empty());
}

TEST(HealthWatch, StopsAfterStepsInARowWithoutAnySignal) {
  Watched watch({1, 20, 0, 3});
  for (const auto& step :
       {reports(0, 5), reports(0, 5), reports(1, 4), reports(0, 5), reports(0, 5)})
    EXPECT_TRUE(watch.step(step).empty());
  EXPECT_FALSE(watch.must_stop());
  const auto said = watch.step({});  // nothing planned at all is no signal either
  ASSERT_EQ(codes(said), Codes{"health_stop"});
  EXPECT_EQ(said[0].severity, Severity::Error);
  EXPECT_TRUE(watch.must_stop());
  Watched endless({1, 20, 0, 0});
  for (int i = 0; i < 100; ++i) endless.step(reports(0, 5));
  EXPECT_FALSE(endless.must_stop());
}

}  // namespace
}  // namespace allot
