// Effective gradient scale of the registered estimators (contract, section 9), against the numbers
// there and closed forms.
#include "allot/methods/scale_table.h"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "allot/methods/enumeration.h"
#include "allot/methods/testing/script.h"

namespace allot {
namespace {

using testing::advantage_options;
using testing::alloc_options;
using testing::Settings;

// Methods with n rollouts and no stopping.
std::vector<double> fixed_n_row(const std::string& method, Settings settings, std::uint32_t n) {
  settings.emplace_back("alloc.group_size", std::to_string(n));
  const auto courses = courses_of(alloc_options(method, settings), advantage_options(settings));
  std::vector<double> row;
  for (const double p : scale_rates()) row.push_back(gradient_scale(courses, p));
  return row;
}

void expect_row(const std::vector<double>& got, const std::vector<double>& wanted,
                double tolerance) {
  ASSERT_EQ(got.size(), wanted.size());
  for (std::size_t i = 0; i < got.size(); ++i)
    EXPECT_NEAR(got[i], wanted[i], tolerance) << "p = " << scale_rates()[i];
}

// The table of the contract, as it is printed there.
TEST(ScaleTable, RowsOfTheContract) {
  const std::vector<std::pair<std::string, std::vector<double>>> contract = {
      {"leave-one-out (RLOO)", std::vector<double>(8, 1)},
      {"mean baseline, no std, n = 8", std::vector<double>(8, .875)},
      {"GRPO n = 8, std ddof 1", {2.37, 2.28, 2.12, 1.90, 1.74, 1.90, 2.18, 2.37}},
      {"GRPO n = 8, std pop", {2.54, 2.43, 2.26, 2.03, 1.86, 2.03, 2.33, 2.54}},
      {"AR3PO k = 4, S = 2, std pop, no reuse", {2.89, 2.73, 2.46, 2.08, 1.72, 1.65, 1.69, 1.72}},
      {"AERO, math settings", {9.94, 7.17, 4.47, 2.66, 1.93, 2.07, 2.49, 2.81}},
      {"AERO, degenerate groups off", {9.86, 7.13, 4.46, 2.66, 1.93, 2.03, 2.33, 2.54}},
      {"PODS 64 -> 16, no std", {3.38, 2.95, 2.17, 1.33, 1.00, 1.33, 2.46, 3.38}},
      {"PODS 64 -> 16, std ddof 1", {9.44, 6.72, 4.30, 2.58, 1.94, 2.58, 5.04, 9.44}},
      {"Reinforce-Ada balanced, pool mean", {6.75, 5.31, 3.27, 1.62, 1.00, 1.62, 3.95, 6.75}},
      {"Reinforce-Ada, strata weights", {1.17, 1.22, 1.15, 1.00, .91, 1.00, 1.19, 1.17}},
      {"Reinforce-Ada, log-objective correction", {7.21, 5.82, 3.71, 1.88, .93, .74, .74, .75}},
      {"Reinforce-Ada, pool mean, then 1/p (wrong)", {140, 77, 28.4, 7.3, 2.2, 2.3, 4.6, 7.3}}};
  const auto table = scale_table(scale_rates());
  for (const auto& [label, values] : contract) {
    SCOPED_TRACE(label);
    const bool few_digits = label.ends_with("(wrong)");
    const auto row = std::ranges::find(table, label, &ScaleRow::label);
    ASSERT_NE(row, table.end());
    for (std::size_t i = 0; i < values.size(); ++i) {
      // Half of the last digit that is printed, and a little: 1.2149 stands there as 1.22.
      const double tolerance = !few_digits ? .0052 : values[i] > 50 ? .51 : .051;
      EXPECT_NEAR(row->values[i], values[i], tolerance) << "p = " << scale_rates()[i];
    }
  }
}

TEST(ScaleTable, LeaveOneOutIsUnbiasedForEverySize) {
  for (const std::uint32_t n : {2u, 3u, 8u, 16u})
    expect_row(fixed_n_row("grpo", {{"adv.estimator", "leave_one_out"}}, n),
               std::vector<double>(8, 1), 1e-6);
}

TEST(ScaleTable, MeanBaselineShrinksByOneRollout) {
  for (const std::uint32_t n : {2u, 8u, 16u})
    expect_row(fixed_n_row("grpo", {{"adv.scale", "none"}}, n),
               std::vector<double>(8, (n - 1.0) / n), 1e-6);
}

// GRPO without an enumeration: E[sqrt(m (n - m)) / n] / (p q), from the binomial distribution.
TEST(ScaleTable, GroupNormFromTheBinomialDistribution) {
  const auto row = fixed_n_row("grpo", {{"adv.ddof", "0"}, {"adv.eps", "0"}}, 8);
  for (std::size_t i = 0; i < 8; ++i) {
    const double p = scale_rates()[i];
    double sum = 0, ways = 1;
    for (int m = 0; m <= 8; ++m) {
      sum += ways * std::pow(p, m) * std::pow(1 - p, 8 - m) * std::sqrt(m * (8.0 - m)) / 8;
      ways = ways * (8 - m) / (m + 1);
    }
    EXPECT_NEAR(row[i], sum / (p * (1 - p)), 1e-6);
  }
}

// What is enumerated are all courses, each once.
TEST(ScaleTable, ProbabilitiesOfTheCoursesAddUp) {
  for (const char* method : {"grpo", "aero", "ar3po", "reinforce_ada", "pods"}) {
    const auto courses = courses_of(alloc_options(method), {});
    for (const double p : scale_rates())
      EXPECT_NEAR(expectation(courses, p, [](const Course&) { return 1.0; }), 1, 1e-10) << method;
  }
}

}  // namespace
}  // namespace allot
