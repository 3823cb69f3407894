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

TEST(HealthWatch, WarnsOncePerIntervalAndNamesCauseAndPrompts) {
  testing::ToyPrompts prompts(10);
  HealthWatch watch({0.5, 20, 0});
  EXPECT_FALSE(watch.step(0, reports(5, 5), prompts));  // exactly half is not above half
  const auto warning = watch.step(1, reports(4, 6), prompts);
  ASSERT_TRUE(warning);
  EXPECT_EQ(warning->severity, Severity::Warning);
  EXPECT_NE(warning->text.find("60 %"), std::string::npos);
  EXPECT_NE(warning->text.find("all_wrong"), std::string::npos);
  EXPECT_NE(warning->text.find("toy-4, toy-5, toy-6"), std::string::npos);
  for (std::uint64_t step = 2; step < 21; ++step)
    EXPECT_FALSE(watch.step(step, reports(0, 10), prompts));
  EXPECT_TRUE(watch.step(21, reports(0, 10), prompts));
}

TEST(HealthWatch, ReportsSharesOfTheWholeInterval) {
  testing::ToyPrompts prompts(10);
  HealthWatch watch({1, 20, 2});
  EXPECT_FALSE(watch.step(0, reports(10, 0), prompts));
  const auto line = watch.step(1, reports(5, 5), prompts);
  ASSERT_TRUE(line);
  EXPECT_EQ(line->text, "prompts with signal 75 %, all_wrong 25 %");
  EXPECT_FALSE(watch.step(2, {}, prompts));
}

}  // namespace
}  // namespace allot
