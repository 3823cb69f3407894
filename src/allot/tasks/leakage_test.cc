#include "allot/tasks/leakage.h"

#include <gtest/gtest.h>

namespace allot {
namespace {

std::vector<Prompt> prompts(std::initializer_list<const char*> texts) {
  std::vector<Prompt> all;
  for (const char* text : texts) all.emplace_back().text = text;
  return all;
}

TEST(Leakage, FindsTheSameQuestionInAnotherSpelling) {
  const auto train = prompts({"What is $x^{2} + 1$?", "Solve it.", "caf\u00e9", "Half of 2.5?"});
  const auto held_out = prompts(
      {"what is x^2+1", "What is $x^2 - 1$?", " Solve\n it. ", "cafe", "caf\u00e9", "Half of 25?"});
  EXPECT_EQ(leaked(train, held_out), (std::vector<std::size_t>{0, 2, 4}));
  EXPECT_TRUE(leaked({}, held_out).empty());
  EXPECT_TRUE(leaked(train, {}).empty());
}

}  // namespace
}  // namespace allot
