// Tables and numbers as people see them.
#include "allot/report/table.h"

#include <cmath>

#include <gtest/gtest.h>

#include "allot/report/number_text.h"

namespace allot {
namespace {

TEST(NumberText, CountsHaveThreeDigits) {
  EXPECT_EQ(count_text(0.0), "0");
  EXPECT_EQ(count_text(7.0), "7");
  EXPECT_EQ(count_text(7.25), "7.25");
  EXPECT_EQ(count_text(999.0), "999");
  EXPECT_EQ(count_text(999.6), "1.00 k");
  EXPECT_EQ(count_text(1234.0), "1.23 k");
  EXPECT_EQ(count_text(12345678.0), "12.3 M");
  EXPECT_EQ(count_text(999999.0), "1.00 M");
  EXPECT_EQ(count_text(-4100.0), "-4.10 k");
  EXPECT_EQ(count_text(3e30), "3000000000000 E");
  EXPECT_EQ(count_text(std::nan("")), "n/a");
}

TEST(NumberText, SharesAndTimes) {
  EXPECT_EQ(percent_text(0.4514), "45.1 %");
  EXPECT_EQ(percent_text(-0.0001), "0.0 %");
  EXPECT_EQ(seconds_text(0.405), "0.41 s");
  EXPECT_EQ(seconds_text(32.46), "32.5 s");
  EXPECT_EQ(seconds_text(119.96), "2 min 00 s");
  EXPECT_EQ(seconds_text(250), "4 min 10 s");
  EXPECT_EQ(seconds_text(7199.6), "2 h 00 min");
  EXPECT_EQ(seconds_text(7505), "2 h 05 min");
}

TEST(NumberText, Estimates) {
  EXPECT_EQ(percent_text(Estimate{0.45, 1, std::nullopt}), "45.0 %");
  EXPECT_EQ(percent_text(Estimate{0.45, 5, Interval{0.43, 0.47}}), "45.0 ± 2.0 %");
  EXPECT_EQ(points_text(Estimate{0.032, 1, std::nullopt}), "+3.2");
  EXPECT_EQ(points_text(Estimate{-0.032, 5, Interval{-0.069, 0.005}}), "-3.2 [-6.9, +0.5]");
  EXPECT_EQ(ratio_text(Estimate{0.714, 5, Interval{0.6, 0.85}}), "0.71 x [0.60, 0.85]");
}

TEST(TextTable, AlignsByCodePoints) {
  TextTable table;
  table.groups = {{"", 1}, {"both", 2}};
  table.header = {"method", "a", "long header"};
  table.rows = {{"grpo", "1 ± 2", "x"}, {"ärö", "10"}};
  EXPECT_EQ(plain_text(table),
            "        ------ both ------\n"
            "method      a  long header\n"
            "------  -----  -----------\n"
            "grpo    1 ± 2            x\n"
            "ärö        10\n");
}

TEST(TextTable, MarkdownEscapesBars) {
  TextTable table;
  table.groups = {{"", 1}, {"g", 1}};
  table.header = {"a", "b"};
  table.rows = {{"x|y", "line\nbreak"}};
  EXPECT_EQ(markdown(table), "| a | g b |\n| --- | ---: |\n| x\\|y | line break |\n");
}

ArmSummary arm(const char* name, std::size_t seeds, double after) {
  ArmSummary arm;
  arm.name = arm.method = name;
  for (std::size_t i = 0; i < seeds; ++i) arm.seeds.push_back(i);
  arm.finished = seeds;
  arm.accuracy_before = Estimate{0.2, seeds, std::nullopt};
  arm.accuracy_after = Estimate{after, seeds, std::nullopt};
  arm.totals["steps"] = {10, seeds, std::nullopt};
  arm.totals["compute"] = {1e6, seeds, std::nullopt};
  return arm;
}

std::string joined_verdict(const Comparison& comparison) {
  std::string text;
  for (const std::string& sentence : verdict(comparison)) text += sentence + "\n";
  return text;
}

TEST(Verdict, SaysWhatOneSeedProves) {
  Comparison c;
  c.reference = "grpo";
  c.arms = {arm("grpo", 1, 0.5), arm("aero", 1, 0.6)};
  c.arms[1].difference_at_compute = Estimate{0.1, 1, std::nullopt};
  const std::string text = joined_verdict(c);
  EXPECT_NE(text.find("aero is 10.0 points above grpo"), std::string::npos) << text;
  EXPECT_NE(text.find("One seed proves little"), std::string::npos);
  EXPECT_NE(text.find("--seeds 5"), std::string::npos);
  EXPECT_EQ(text.find("better"), std::string::npos);  // no claim from one seed
}

TEST(Verdict, ClaimsADifferenceOnlyIfTheIntervalExcludesNone) {
  Comparison c;
  c.reference = "grpo";
  c.arms = {arm("grpo", 5, 0.5), arm("aero", 5, 0.6), arm("vip", 5, 0.4), arm("dapo", 5, 0.51)};
  c.arms[1].difference_at_compute = Estimate{0.1, 5, Interval{0.05, 0.15}};
  c.arms[2].difference_at_compute = Estimate{-0.1, 5, Interval{-0.15, -0.05}};
  c.arms[3].difference_at_compute = Estimate{0.01, 5, Interval{-0.02, 0.04}};
  const std::string text = joined_verdict(c);
  EXPECT_NE(text.find("aero is better than grpo by 10.0 points"), std::string::npos) << text;
  EXPECT_NE(text.find("vip is worse than grpo by 10.0 points"), std::string::npos);
  EXPECT_NE(text.find("no difference between dapo and grpo is shown: +1.0"), std::string::npos);
  EXPECT_EQ(text.find("proves little"), std::string::npos);
}

TEST(TerminalTable, HoldsEveryNumberAndNoControlCharacters) {
  Comparison c;
  c.reference = "grpo";
  c.arms = {arm("grpo", 1, 0.5), arm("aero", 1, 0.6)};
  c.arms[1].totals["rollouts_discarded"] = {4321, 1, std::nullopt};
  c.arms[1].target = TargetOutcome::NotReached;
  const std::string text = terminal_table(c);
  for (const char* words : {"20.0 %", "60.0 %", "4.32 k", "not reached", "1.00 M", "discarded",
                            "generate", "score", "train"})
    EXPECT_NE(text.find(words), std::string::npos) << words << "\n" << text;
  for (const char letter : text)
    EXPECT_TRUE(letter == '\n' || static_cast<unsigned char>(letter) >= 32);
}

}  // namespace
}  // namespace allot
