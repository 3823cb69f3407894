#include "allot/report/config_table.h"

#include <gtest/gtest.h>

namespace allot {
namespace {

RunData run(const std::string& method, const std::string& config) {
  RunData data;
  data.method = method;
  data.path = "runs/c/" + method + "-s0";
  data.expanded_config = config;
  return data;
}

TEST(ConfigTable, FlattensNestedSections) {
  const auto flat = flat_config(
      "data:\n  task: digit_sort\n  digit_sort:\n    train: 40\n    text: \"a: b\"\n"
      "# a comment\noptim:\n  lr: 0.1\nnonsense\n  - item\n");
  ASSERT_EQ(flat.size(), 4u);
  EXPECT_EQ(flat[0].first, "data.task");
  EXPECT_EQ(flat[1].first, "data.digit_sort.train");
  EXPECT_EQ(flat[2].second, "\"a: b\"");
  EXPECT_EQ(flat[3].first, "optim.lr");
  EXPECT_TRUE(flat_config("").empty());
}

TEST(ConfigTable, ShowsWhatDiffersBetweenArms) {
  const Comparison c = compare_data(
      {run("grpo", "alloc:\n  method: grpo\n  group_size: 8\ntrain:\n  max_steps: 10\n"),
       run("aero",
           "alloc:\n  method: aero\n  group_size: 8\n  more: 1\ntrain:\n  max_steps: 500\n")});
  const TextTable table = config_differences_table(c);
  EXPECT_EQ(table.header, (std::vector<std::string>{"key", "grpo", "aero"}));
  ASSERT_EQ(table.rows.size(), 2u);
  EXPECT_EQ(table.rows[0], (std::vector<std::string>{"alloc.method", "grpo", "aero"}));
  EXPECT_EQ(table.rows[1], (std::vector<std::string>{"alloc.more", "-", "1"}));
}

}  // namespace
}  // namespace allot
