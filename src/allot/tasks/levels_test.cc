#include "allot/tasks/levels.h"

#include <cmath>
#include <numeric>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "allot/core/error.h"

namespace allot {
namespace {

Levels levels(int min, int max, std::vector<double> weights) {
  return {.min = min, .max = max, .weights = std::move(weights), .limits = {1, 32}};
}

TEST(Levels, QuotasOfEqualSharesFavourEasierLevels) {
  EXPECT_EQ(levels(2, 4, {}).quotas(10), (std::vector<int>{4, 3, 3}));
  EXPECT_EQ(levels(3, 3, {}).quotas(7), (std::vector<int>{7}));
}

TEST(Levels, QuotasFollowWeights) {
  EXPECT_EQ(levels(1, 3, {1, 0, 3}).quotas(100), (std::vector<int>{25, 0, 75}));
  EXPECT_EQ(levels(1, 3, {1, 1, 1}).quotas(2), (std::vector<int>{1, 1, 0}));
  EXPECT_EQ(levels(1, 2, {1, 2}).quotas(10), (std::vector<int>{3, 7}));  // 3.33 and 6.67
}

TEST(Levels, QuotasAddUpAndAreExactToOne) {
  const bool holds = rc::check([] {
    const int count = *rc::gen::inRange(1, 12);
    const auto small = *rc::gen::container<std::vector<int>>(static_cast<std::size_t>(count),
                                                             rc::gen::inRange(0, 9));
    const std::vector<double> weights(small.begin(), small.end());
    const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
    RC_PRE(sum > 0);
    const int total = *rc::gen::inRange(1, 3000);
    const std::vector<int> quotas = levels(1, count, weights).quotas(total);
    RC_ASSERT(std::accumulate(quotas.begin(), quotas.end(), 0) == total);
    for (std::size_t i = 0; i < weights.size(); ++i) {
      RC_ASSERT(std::abs(quotas[i] - total * weights[i] / sum) < 1.0 + 1e-9);
      if (weights[i] == 0) RC_ASSERT(quotas[i] == 0);
    }
  });
  EXPECT_TRUE(holds);
}

std::string message_of(const Levels& wrong) {
  try {
    wrong.validate("data.x.digits");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Config);
    return error.what();
  }
  return "";
}

TEST(Levels, ValidateNamesTheKey) {
  EXPECT_EQ(message_of(levels(1, 3, {1, 2, 3})), "");
  EXPECT_NE(message_of(levels(4, 3, {})).find("data.x.digits"), std::string::npos);
  EXPECT_NE(message_of(levels(1, 3, {1})).find("3 are needed"), std::string::npos);
  EXPECT_NE(message_of(levels(1, 2, {0, 0})).find("all weights are 0"), std::string::npos);
  EXPECT_NE(message_of(levels(1, 2, {1, -1})).find("data.x.digits.weights"), std::string::npos);
  EXPECT_NE(message_of(levels(1, 2, {1, std::nan("")})).find("weight"), std::string::npos);
}

}  // namespace
}  // namespace allot
