#include "allot/report/calibration.h"

#include <gtest/gtest.h>

#include "allot/core/error.h"
#include "allot/core/random.h"

namespace allot {
namespace {

PromptVisit first_visit(std::uint64_t step, std::uint32_t prompt, std::uint32_t verdicts,
                        std::uint32_t right) {
  PromptVisit v;
  v.step = step;
  v.prompt = prompt;
  v.verdicts = verdicts;
  v.right = right;
  return v;
}

TEST(Calibration, ByHand) {
  PromptHistory history;
  history.prompts.resize(2);
  // Prompt 0: forecast (1 + 1) / (2 + 2) = .5, then 2 of 2 right. Prompt 1: seen once.
  history.visits = {first_visit(0, 0, 2, 1), first_visit(1, 0, 2, 2), first_visit(1, 1, 4, 0)};
  const Calibration c = calibration_of(history);
  EXPECT_EQ(c.visits, 1u);
  EXPECT_EQ(c.verdicts, 2u);
  EXPECT_NEAR(c.brier, 0.25, 1e-12);
  EXPECT_NEAR(c.base_brier, 0, 1e-12);
  EXPECT_EQ(c.bins[5].verdicts, 2u);
  EXPECT_EQ(c.bins[5].right, 2u);
  EXPECT_NEAR(c.bins[5].forecast_sum, 1, 1e-12);
  EXPECT_EQ(calibration_of({}).verdicts, 0u);
}

// Prompts whose pass rate never changes and was drawn uniformly: the Laplace estimate is then the
// exact posterior mean, so every bin must be calibrated, and the forecasts beat the base rate.
TEST(Calibration, ForecastsOfConstantRatesAreCalibrated) {
  RandomStream random({5, RandomUse::Test});
  PromptHistory history;
  history.prompts.resize(4000);
  std::vector<double> rates(history.prompts.size());
  for (double& rate : rates) rate = random.uniform();
  for (std::uint64_t step = 0; step < 3; ++step)
    for (std::uint32_t p = 0; p < rates.size(); ++p) {
      std::uint32_t right = 0;
      for (int i = 0; i < 4; ++i) right += random.uniform() < rates[p];
      history.visits.push_back(first_visit(step, p, 4, right));
    }
  const Calibration c = calibration_of(history);
  EXPECT_EQ(c.visits, 8000u);
  for (const CalibrationBin& bin : c.bins) {
    if (bin.verdicts < 1000) continue;
    const double n = static_cast<double>(bin.verdicts);
    EXPECT_NEAR(static_cast<double>(bin.right) / n, bin.forecast_sum / n, 0.04);
  }
  EXPECT_LT(c.brier, 0.8 * c.base_brier);
}

}  // namespace
}  // namespace allot
